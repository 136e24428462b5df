import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import gaussian

from lsbench.corruptions.wide_blur import gaussian_mirrored, gaussian_single


@pytest.fixture
def noise():
    return np.random.RandomState(0).normal(size=(41, 67))


def test_a_plane_in_single_precision_is_rounded_as_scikit_image_rounds_it(noise):
    smoothed = gaussian_single(noise.astype(np.float32), 1.5)
    assert smoothed.dtype == np.float32
    assert np.array_equal(smoothed, gaussian(noise.astype(np.float32), 1.5))


@pytest.mark.parametrize("sigma", [0.5, 8.0, 40.0])
def test_cosines_give_what_the_sum_gives(noise, sigma):
    expected = gaussian_filter(noise, sigma, mode="reflect", truncate=3.0)
    assert np.abs(gaussian_mirrored(noise, sigma, 3.0) - expected).max() < 2e-15
