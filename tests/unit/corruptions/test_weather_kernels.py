import numpy as np
import pytest

from lsbench.corruptions.weather_kernels import grow_plasma, lay_fog, mix

UNITS = np.arange(256) / 255.0


def diamond_square(side, decay, rng):
    """The algorithm with whole arrays: squares get their middle, then the sides between them theirs."""
    heights, step, spread = np.zeros((side, side)), side, 100.0

    def rough(total):
        return total / 4 + spread * rng.uniform(-spread, spread, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=0)
        heights[half::step, half::step] = rough(pairs + np.roll(pairs, -1, axis=1))
        middles = heights[half::step, half::step]
        vertical = (middles + np.roll(middles, 1, axis=0)) + (corners + np.roll(corners, -1, axis=1))
        heights[::step, half::step] = rough(vertical)
        horizontal = (middles + np.roll(middles, 1, axis=1)) + (corners + np.roll(corners, -1, axis=0))
        heights[half::step, ::step] = rough(horizontal)
        step, spread = half, spread / decay
    return heights


@pytest.mark.parametrize("side", [2, 4, 32])
def test_plasma_is_the_diamond_square_algorithm_and_uses_each_draw_once(side):
    heights, rng = np.empty((side, side)), np.random.RandomState(0)
    grow_plasma(heights, rng.random_sample(side * side - 1), 1.7)
    other = np.random.RandomState(0)
    assert np.array_equal(heights, diamond_square(side, 1.7, other))
    assert rng.random_sample() == other.random_sample()


def test_fog_is_scaled_over_the_whole_map_and_laid_on_the_part_that_the_image_covers():
    rng = np.random.RandomState(0)
    image, heights = rng.randint(0, 200, (5, 7, 3)).astype(np.uint8), rng.normal(size=(8, 8))
    scaled = heights - heights.min()
    levels, brightest = image / 255.0, image.max() / 255.0
    levels += 2.5 * (scaled / scaled.max())[:5, :7, None]
    out = np.empty_like(image)
    lay_fog(image, UNITS, heights, 2.5, out)
    assert np.array_equal(out, np.uint8(np.clip(levels * brightest / (brightest + 2.5), 0, 1) * 255))


def test_a_mixture_is_looked_up_for_each_pair_of_bytes():
    rng = np.random.RandomState(0)
    image, texture = (rng.randint(0, 256, (side, side + 1, 3)).astype(np.uint8) for side in (4, 9))
    table = rng.randint(0, 256, (256, 256)).astype(np.uint8)
    out = np.empty_like(image)
    mix(image, texture, 3, 5, table, out)
    assert np.array_equal(out, table[image, texture[3:7, 5:10]])
