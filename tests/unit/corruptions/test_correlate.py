import numpy as np
import pytest
from scipy import ndimage
from skimage import filters

from lsbench.corruptions.correlate import (
    border_indices,
    gaussian,
    gaussian_mirrored,
    gaussian_single,
    half_gaussian,
    weighted_rows,
)


@pytest.mark.parametrize("border", ["nearest", "reflect"])
@pytest.mark.parametrize(
    ("sigma", "truncate"), [((1.0, 1.0), 4.0), ((0.7, 2.5), 4.0), ((6.0, 6.0), 4.0), ((9.0, 0.4), 3.0)]
)
def test_a_gaussian_is_scipys_to_the_last_bit(border, sigma, truncate):
    for shape in ((33, 47, 3), (20, 9, 1), (64, 64, 2)):
        image = np.random.RandomState(1).random_sample(shape)
        expected = ndimage.gaussian_filter(image, (*sigma, 0), mode=border, truncate=truncate)
        found = gaussian(image.reshape(shape[0], -1), shape[2], sigma, truncate, border)
        assert np.array_equal(found.reshape(shape), expected)


def test_no_width_changes_nothing():
    assert half_gaussian(0.0, 4.0).tolist() == [1.0]


@pytest.mark.parametrize("border", ["nearest", "reflect"])
def test_borders_are_numpys(border):
    expected = np.pad(np.arange(5), 12, mode={"nearest": "edge", "reflect": "symmetric"}[border])
    assert border_indices(5, 12, border).tolist() == expected.tolist()


@pytest.mark.parametrize("taps", [1, 3, 4, 5, 8, 11])
def test_rows_are_added_one_after_the_other(taps):
    draw = np.random.RandomState(taps)
    source, weights, offsets = draw.random_sample(100), draw.random_sample(taps), draw.randint(0, 60, taps)
    expected = np.zeros(37)
    for offset, weight in zip(offsets, weights, strict=True):
        expected = expected + weight * source[offset : offset + 37]
    found = np.empty(37)
    weighted_rows(source, offsets, weights, found)
    assert np.array_equal(found, expected)


@pytest.fixture
def noise():
    return np.random.RandomState(0).normal(size=(41, 67))


def test_a_plane_in_single_precision_is_rounded_as_scikit_image_rounds_it(noise):
    smoothed = gaussian_single(noise.astype(np.float32), 1.5)
    assert smoothed.dtype == np.float32
    assert np.array_equal(smoothed, filters.gaussian(noise.astype(np.float32), 1.5))


@pytest.mark.parametrize("sigma", [0.5, 8.0, 40.0])
def test_cosines_give_what_the_sum_gives(noise, sigma):
    expected = ndimage.gaussian_filter(noise, sigma, mode="reflect", truncate=3.0)
    assert np.abs(gaussian_mirrored(noise, sigma, 3.0) - expected).max() < 2e-15
