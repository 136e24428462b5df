import numpy as np
import pytest
from scipy.ndimage import correlate1d

from lsbench.data.corruptions.plane_blur_kernels import filter_down, filter_right


@pytest.mark.parametrize("reach", [0, 1, 3, 4, 6, 9])
@pytest.mark.parametrize(("filtered", "axis"), [(filter_down, 0), (filter_right, 1)])
def test_taps_are_added_in_scipys_order(filtered, axis, reach):
    rng = np.random.RandomState(0)
    plane, weights = rng.normal(size=(12, 19)), rng.random_sample(reach + 1)
    where = np.pad(np.arange(plane.shape[axis]), reach, mode="edge")
    out = np.empty_like(plane)
    filtered(plane, weights, where, out)
    whole = np.concatenate([weights[:0:-1], weights])
    assert np.array_equal(out, correlate1d(plane, whole, axis=axis, mode="nearest"))
