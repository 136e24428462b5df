import numpy as np
import pytest
from scipy import ndimage

from lsbench.corruptions.zoom import FACTORS, enlarged_axis, zoom_blur


@pytest.mark.parametrize("length", [32, 33, 47, 100, 224, 225, 331])
@pytest.mark.parametrize("severity", [1, 5])
def test_an_axis_is_enlarged_as_scipy_enlarges_it(length, severity):
    line = np.random.RandomState(length).random_sample(length).astype(np.float32)
    end, step = FACTORS[severity - 1]
    axis = enlarged_axis(length, severity)
    factors = np.arange(1, end, step)[1:]
    assert len(axis.first) == len(factors)
    for layer, factor in enumerate(factors):
        cropped = int(np.ceil(length / factor))
        start = (length - cropped) // 2
        expected = ndimage.zoom(line[start : start + cropped], factor, order=1)[:length]
        found = line[axis.first[layer]] * axis.weights[layer, :, 0]
        found += line[axis.second[layer]] * axis.weights[layer, :, 1]
        assert np.array_equal(found.astype(np.float32)[: len(expected)], expected)
        assert not axis.weights[layer, len(expected) :].any()


def test_the_centre_stays_and_the_border_moves(photo):
    image = np.zeros((65, 65, 3), np.uint8)
    image[32, 32] = image[32, 2] = 255
    blurred = zoom_blur(image, 3, np.random.RandomState(0))
    assert blurred[32, 32].min() > blurred[32, 2].max() > 0
