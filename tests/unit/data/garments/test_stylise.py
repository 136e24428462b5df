import numpy as np
import pytest

from lsbench.data.garments import pack
from lsbench.data.garments.stylise import STYLES, draw_rendition, draw_sketch


@pytest.fixture(scope="module")
def photo():
    test = pack.read_pack()["test"]
    return test.images[np.flatnonzero(test.labels == 8)[0]]


@pytest.mark.parametrize("style", STYLES)
def test_a_rendition_follows_its_generator_alone_and_keeps_the_background(photo, style):
    first, second, other = (draw_rendition(photo, style, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first.shape, first.dtype) == ((56, 56, 3), np.uint8)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first[:2, :2].max() == 0
    assert first.max() > 150


def test_no_two_styles_look_alike(photo):
    pictures = [draw_rendition(photo, style, np.random.default_rng(0)).astype(int) for style in STYLES]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(picture - other).mean() > 10


def test_the_handle_of_a_bag_is_no_hole_that_is_filled(photo):
    tall = np.zeros((28, 28), dtype=np.uint8)
    tall[4:24, 4:24] = 200
    tall[8:18, 8:20] = 0  # the space below a handle
    tall[20, 10] = 0  # a dark button
    silhouette = draw_rendition(tall, "silhouette", np.random.default_rng(0))
    assert silhouette[24:28, 26:30].max() == 0
    assert silhouette[40:42, 20:22].min() > 0


def test_a_sketch_is_brightest_at_edges_and_has_a_faint_fill():
    square = np.zeros((28, 28), dtype=np.uint8)
    square[6:22, 6:22] = 200
    sketch = draw_sketch(square)
    assert (sketch.shape, sketch.dtype) == ((56, 56), np.uint8)
    assert sketch[28, 11:14].min() > 200
    assert sketch[28, 28] == round(0.35 * 200)
    assert sketch[:4].max() == 0


def test_empty_photos_have_empty_pictures():
    empty = np.zeros((28, 28), dtype=np.uint8)
    assert draw_sketch(empty).max() == 0
    for style in STYLES:
        assert draw_rendition(empty, style, np.random.default_rng(0)).max() == 0
