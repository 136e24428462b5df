import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lsbench.data.corruptions.plane_blur import places, smooth, smooth_mirrored, smooth_single


@pytest.fixture
def noise():
    return np.random.RandomState(0).normal(size=(41, 67))


@pytest.mark.parametrize("edge", ["nearest", "reflect"])
@pytest.mark.parametrize("sigmas", [(0.32, 0.5), (1.5, 4.0), (6.0, 30.0)])
def test_a_plane_is_smoothed_as_scipy_smooths_it(noise, edge, sigmas):
    assert np.array_equal(
        smooth(noise, sigmas, edge=edge, truncate=3.0),
        gaussian_filter(noise, sigmas, mode=edge, truncate=3.0),
    )


def test_a_plane_in_single_precision_is_rounded_as_scipy_rounds_it(noise):
    single = noise.astype(np.float32)
    expected = gaussian_filter(single, 1.5, mode="nearest", truncate=4.0)
    smoothed = smooth_single(single, 1.5, edge="nearest", truncate=4.0)
    assert smoothed.dtype == np.float64
    assert np.array_equal(smoothed, expected)


def test_cosines_give_what_the_sum_gives(noise):
    expected = gaussian_filter(noise, 40.0, mode="reflect", truncate=3.0)
    assert np.abs(smooth_mirrored(noise, 40.0, truncate=3.0) - expected).max() < 1e-15


@pytest.mark.parametrize(("edge", "mode"), [("nearest", "edge"), ("reflect", "symmetric")])
@pytest.mark.parametrize("reach", [0, 2, 13])
def test_places_outside_are_numpys(edge, mode, reach):
    assert np.array_equal(places(5, reach, edge), np.pad(np.arange(5), reach, mode=mode))
