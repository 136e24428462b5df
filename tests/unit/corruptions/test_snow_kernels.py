import numpy as np
import pytest
from scipy.ndimage import zoom

from lsbench.corruptions.snow_kernels import enlarge, lay_mud, lay_snow, lay_water

UNITS = np.arange(256) / 255.0


@pytest.mark.parametrize("factor", [2, 2.5, 3, 4, 4.5])
@pytest.mark.parametrize("shape", [(7, 8), (9, 15), (56, 23), (75, 50)])
def test_noise_is_enlarged_as_scipy_enlarges_it_at_its_far_border_too(shape, factor):
    noise = np.random.RandomState(0).normal(0.5, 0.4, shape)
    expected = zoom(noise[..., None], (factor, factor, 1), order=1)[..., 0]
    expected[expected < 0.4] = 0
    out = np.empty(expected.shape)
    enlarge(noise, 0.4, out)
    assert np.array_equal(out, np.clip(expected, 0, 1))


def test_snow_whitens_and_lies_on_the_image_twice():
    rng = np.random.RandomState(0)
    levels, grey = (
        rng.random_sample((6, 5, 3)).astype(np.float32),
        rng.random_sample((6, 5)).astype(np.float32),
    )
    flakes = rng.randint(0, 256, (6, 5)).astype(np.uint8)
    whitened = 0.7 * levels + (1 - 0.7) * np.maximum(levels, grey[..., None] * 1.5 + 0.5)
    layer = (flakes / 255.0)[..., None]
    expected = np.uint8(np.clip(whitened + layer + np.rot90(layer, k=2), 0, 1) * 255)
    out = np.empty(levels.shape, np.uint8)
    lay_snow(levels, grey, flakes, UNITS, np.float32(0.7), np.float32(1 - 0.7), out)
    assert np.array_equal(out, expected)


def test_water_is_most_opaque_where_drops_and_relief_are_largest_together():
    levels = np.full((1, 3, 3), 0.2, np.float32)
    drops, relief = np.array([[0, 10, 20]], np.uint8), np.array([[9, 4, 4]], np.float32)
    out = np.empty(levels.shape, np.uint8)
    lay_water(levels, drops, relief, np.float32(0.6), np.array([0, 0.5, 1], np.float32), out)
    assert out.tolist() == [[[51, 51, 51], [51, 89, 127], [51, 127, 204]]]


def test_water_without_a_drop_turns_the_image_black():
    levels, out = np.ones((2, 2, 3), np.float32), np.empty((2, 2, 3), np.uint8)
    lay_water(
        levels, np.zeros((2, 2), np.uint8), np.ones((2, 2), np.float32), np.float32(1), levels[0, 0], out
    )
    assert not out.any()


@pytest.mark.parametrize("lay", [lay_mud, lay_mud.py_func], ids=["compiled", "plain"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_mud_covers_what_lies_below_it(precision, lay):
    levels, out = np.full((1, 3, 3), 0.8, np.float32), np.empty((1, 3, 3), np.uint8)
    lay(levels, np.array([[0, 0.5, 1]], np.float32), np.array([0.2, 0.4, 0.6], precision), out)
    assert out.tolist() == [[[204, 204, 204], [127, 153, 178], [51, 102, 153]]]


@pytest.mark.parametrize("lay", [lay_mud, lay_mud.py_func], ids=["compiled", "plain"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_mud_is_added_in_the_precision_of_its_colour(precision, lay):
    rng = np.random.RandomState(0)
    levels, covered = rng.random_sample((30, 30, 3)), rng.random_sample((30, 30))
    levels, covered, colour = np.float32(levels), np.float32(covered), np.array([0.1, 0.2, 0.3], precision)
    out = np.empty(levels.shape, np.uint8)
    lay(levels, covered, colour, out)
    total = levels * (1 - covered[..., None]) + colour * covered[..., None]
    assert total.dtype == precision
    assert np.array_equal(out, np.uint8(np.clip(total, 0, 1) * 255))
