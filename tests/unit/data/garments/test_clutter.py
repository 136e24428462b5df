import numpy as np

from lsbench.data.garments.clutter import draw_clutter, pick_colour


def test_clutter_is_colourful_textured_and_repeatable():
    first, again, other = (draw_clutter(np.random.default_rng(seed), 48) for seed in (0, 0, 1))
    assert first.shape == (48, 48, 3)
    assert first.min() >= 0
    assert first.max() <= 255
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std(axis=(0, 1)).min() > 5


def test_colours_stay_in_range():
    rng = np.random.default_rng(0)
    colours = np.stack([pick_colour(rng, 90, 255) for _ in range(200)])
    assert colours.min() >= 90
    assert colours.max() <= 255
