import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lsbench.corruptions.digital_kernels import displace, enlarge_means, lower_contrast

UNITS = np.arange(256) / 255.0


def test_contrast_is_numpys_to_the_bit():
    image = np.random.default_rng(0).integers(0, 256, (67, 45, 3)).astype(np.uint8)
    levels = image / 255.0
    means = np.mean(levels, axis=(0, 1), keepdims=True)
    out = np.empty_like(image)
    lower_contrast(image, UNITS, 0.2, out)
    assert np.array_equal(out, np.uint8(np.clip((levels - means) * 0.2 + means, 0, 1) * 255))


def test_means_are_rounded_after_columns_and_after_rows():
    pixels = np.array([[0, 1, 5], [1, 1, 6]], np.uint8)
    pairs, thirds = ((1 << 22) // number for number in (2, 3))
    rows = np.array([[0], [2]], np.uint64), np.array([pairs], np.uint32), np.zeros(2, np.uint64)
    columns = np.array([[0], [3]], np.uint64), np.array([thirds], np.uint32), np.zeros(3, np.uint64)
    out = np.empty(18, np.uint8)
    enlarge_means(np.repeat(pixels, 3), *rows, *columns, out)
    assert set(out) == {3}  # of 2 and 8 / 3, which becomes 3, so 2.5; the mean of all six is 2.33


@pytest.mark.parametrize("spread", [0.7, 6.0, 300.0])
def test_an_image_is_read_where_scipy_reads_it_far_outside_as_well(spread):
    rng = np.random.default_rng(0)
    levels = rng.random((33, 21, 3), np.float32)
    down, right = (rng.normal(0, spread, (2, 33, 21))).astype(np.float32)
    y, x, channel = np.meshgrid(np.arange(33), np.arange(21), np.arange(3), indexing="ij")
    places = y + down[..., None], x + right[..., None], channel
    expected = map_coordinates(levels, places, order=1, mode="reflect")
    out = np.empty(levels.shape, np.uint8)
    displace(levels, down, right, out)
    assert np.array_equal(out, np.uint8(np.clip(expected, 0, 1) * 255))
