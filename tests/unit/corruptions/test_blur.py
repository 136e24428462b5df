import numpy as np
import pytest

from lsbench.corruptions import corrupt
from lsbench.corruptions.blur import CORRUPTIONS, _shuffle, motion_blurred, to_bytes
from lsbench.corruptions.random_stream import stream_of


def test_the_file_offers_its_kinds():
    kinds = ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"]
    assert list(CORRUPTIONS) == kinds


@pytest.mark.parametrize("name", ["defocus_blur", "zoom_blur", "gaussian_blur"])
def test_these_draw_nothing(name, photo, generator_at, state_of):
    rng = generator_at(1, 3, 1)
    corrupt(photo("coffee", 40, 40), name, 2, rng=rng)
    assert state_of(rng) == state_of(generator_at(1, 3, 1))


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_glass_copies_a_near_pixel_and_leaves_it_where_it_was(reach, generator_at):
    pixels = np.arange(20 * 30, dtype=np.uint32).reshape(20, 30)
    expected, rng = pixels.copy(), generator_at(8)
    for y in range(20 - reach, reach, -1):
        for x in range(30 - reach, reach, -1):
            dx, dy = rng.randint(-reach, reach, size=2)
            expected[y, x] = expected[y + dy, x + dx]
    _shuffle(stream_of(generator_at(8)), pixels, reach, 1)
    assert np.array_equal(pixels, expected)


def test_motion_keeps_a_flat_layer_and_moves_a_point_against_the_line():
    assert np.allclose(motion_blurred(np.full((40, 50), 3.0), 1, 10, 3, 30.0), 3.0)
    layer = np.zeros((40, 50))
    layer[20, 30] = 1.0
    blurred = motion_blurred(layer, 1, 10, 3, 0.0)
    assert blurred[20, 30] == blurred.max()
    assert np.count_nonzero(blurred[20, :31]) == 21
    assert np.count_nonzero(blurred) == 21


def test_a_line_longer_than_the_image_ends_there_or_goes_on():
    layer = np.ones((32, 32))
    assert motion_blurred(layer, 1, 20, 15, 0.0).max() < 0.99
    assert np.allclose(motion_blurred(layer, 1, 20, 15, 0.0, goes_on=True), 1.0)


def test_values_are_clipped_and_cut_not_rounded():
    values = np.array([[-3.0, 0.9, 1.999, 254.999, 255.0, 300.0]])
    assert to_bytes(values, (1, 2, 3)).ravel().tolist() == [0, 0, 1, 254, 255, 255]
