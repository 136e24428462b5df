import numpy as np
import pytest
from skimage.filters import gaussian

from lsbench.corruptions.byte_blur import blur_rows, blurred_bytes
from lsbench.corruptions.correlate import border_indices, half_gaussian


def expected(image, sigma):
    return (gaussian(image / 255.0, sigma=sigma, channel_axis=-1).clip(0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 6.0])
def test_bytes_are_those_of_scikit_image(photo, sigma):
    image = photo("coffee", 45, 52)
    # A flat area between others, one at the border, and single bright and dark points.
    image[10:30, 12:40], image[:8, :9], image[33, 20], image[35, 45] = 255, 77, 255, 0
    assert np.array_equal(blurred_bytes(image, sigma), expected(image, sigma))


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_flat_images_are_cut_as_in_double_precision(value):
    image = np.full((33, 40, 3), value, np.uint8)
    assert np.array_equal(blurred_bytes(image, 1.1), expected(image, 1.1))


def test_all_values_in_doubt_or_only_a_few_give_the_same_bytes(photo):
    image = photo("chelsea", 36, 41)
    half = half_gaussian(1.0, 4.0)
    rows, columns = border_indices(36, 4, "nearest"), border_indices(41, 4, "nearest")
    again = np.empty((36, 123), np.uint8)
    blur_rows(image.reshape(36, -1), half, rows, columns, np.float32(1.0), again)
    assert np.array_equal(again.reshape(image.shape), blurred_bytes(image, 1.0))
