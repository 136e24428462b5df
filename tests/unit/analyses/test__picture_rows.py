from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lsbench.analyses import ModelPanel
from lsbench.analyses._picture_rows import (
    ACROSS,
    FIXED,
    PALE,
    PALETTE,
    add_legend,
    colours_of,
    legend_columns,
    legend_lines,
    letters_on,
    luminance,
    picture_rows,
    show_same_pictures,
    tinted,
)


def contrast(one, other):
    brighter, darker = sorted((luminance(to_rgb(one)), luminance(to_rgb(other))), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colour", PALETTE)
def test_letters_stand_out_on_every_colour(colour):
    assert contrast(colour, letters_on(to_rgb(colour))) >= 4.5
    assert contrast("white", "black") == pytest.approx(21)


def seen_with(colour, matrix):
    """Return how a colour is seen without a kind of cones, in Lab (Viénot, Brettel and Mollon, 1999)."""
    values = np.array(to_rgb(colour))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(matrix) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 1e-9))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],  # no red cones
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],  # no green cones
        np.eye(3),
    ],
)
def test_the_colours_of_few_classes_differ_for_every_kind_of_colour_vision(matrix):
    seen = [seen_with(colour, matrix) for colour in (*PALETTE[:FIXED], PALE)]
    steps = [np.linalg.norm(one - other) for place, one in enumerate(seen) for other in seen[:place]]
    assert min(steps) > 10, "a difference of 2 can just be seen"


def knowing(*classes):
    return [ModelPanel("m", {"classes": np.array(classes)})]


def test_few_classes_keep_their_colours_whatever_else_is_drawn():
    known = knowing("background", "top", "bag ")
    whole = colours_of(known, {"background": 5, "top": 1, "bag": 1})
    assert whole == {"background": PALE, "top": to_rgb(PALETTE[0]), "bag": to_rgb(PALETTE[1])}
    assert colours_of(known, {"bag": 9}) == {"bag": whole["bag"]}


def test_of_many_classes_the_most_used_have_the_clearest_colours():
    classes = [f"class {number}" for number in range(150)]
    found = colours_of(knowing(*classes), {"class 3": 1, "class 70": 9, "class 149": 4})
    assert found == {name: to_rgb(PALETTE[n]) for n, name in enumerate(("class 70", "class 149", "class 3"))}
    every = colours_of(knowing(*classes), dict.fromkeys(classes[:45], 1))
    assert len({tuple(np.round(colour, 3)) for colour in every.values()}) == 45
    assert all(0 <= part <= 1 for colour in every.values() for part in colour)


def test_models_that_know_different_classes_share_the_colours_by_name():
    panels = [*knowing("top", "bag"), *knowing("bag", "dog")]
    found = colours_of(panels, {"top": 1, "bag": 1, "dog": 1})
    assert list(found) == ["top", "bag", "dog"]
    assert len(set(found.values())) == 3


def test_a_mask_takes_on_its_share_of_the_colour():
    pixels = np.full((1, 2, 3), 0.5)
    found = tinted(pixels, np.array([[True, False]]), (1.0, 0.5, 0.0), 0.5)
    assert found.tolist() == [[[0.75, 0.5, 0.25], [0.5, 0.5, 0.5]]]


@pytest.mark.parametrize(
    ("shapes", "width"),
    [
        ([[(480, 640)] * ACROSS] * 2, 6.875),
        ([[(480, 640, 3), (640, 480, 3)]], 5.7),
        ([[(128, 128)]], 3.25),
        ([[(100, 1000)]], 3.25),
        ([[(1000, 100)]], 3.25),
    ],
)
def test_pictures_of_a_row_are_equally_high_and_fit_the_page(shapes, width):
    figure = Figure(layout="constrained")
    rows, names = ["LS conv", "RepMixer"][: len(shapes)], [f"COCO_val2014_{n:012}.jpg" for n in range(4)]
    every, high = picture_rows(figure, shapes, rows=rows, names=[names])
    for axes_of_row, of_row in zip(every, shapes, strict=True):
        for axes, shape in zip(axes_of_row, of_row, strict=True):
            axes.imshow(np.zeros(shape[:2]))
    figure.draw_without_rendering()
    assert figure.get_figwidth() == pytest.approx(width, abs=0.3)
    sides = [axes.get_window_extent().height / figure.dpi for row in every for axes in row]
    assert sides == pytest.approx([high] * len(sides), rel=0.001)
    assert figure.get_figheight() < 9.5
    tops = [axes.title.get_window_extent() for axes in every[0]]
    assert all(left.x1 < right.x0 for left, right in pairwise(tops)), "names overlap"


def test_long_labels_of_rows_stay_on_the_page():
    figure = Figure(layout="constrained")
    labels = ["LS conv with a very long name (random weights)", "RepMixer"]
    every, _ = picture_rows(figure, [[(100, 300)] * 4] * 2, rows=labels)
    figure.draw_without_rendering()
    extents = [axes.yaxis.label.get_window_extent() for (axes, *_) in every]
    assert all(extent.x0 >= 0 for extent in extents)
    assert extents[0].y0 > extents[1].y1


def test_a_legend_fits_into_its_width_and_lines():
    names = [f"a class {number}" for number in range(20)]
    assert legend_columns(3.25, names) < legend_columns(6.875, names) <= 20
    assert legend_lines(6.875, names[:1]) < legend_lines(6.875, names)
    figure = Figure(figsize=(6.875, 3), layout="constrained")
    figure.subplots()
    add_legend(figure, dict.fromkeys(names, PALE))
    figure.draw_without_rendering()
    extent = figure.legends[0].get_window_extent()
    assert extent.width / figure.dpi <= 6.875
    assert extent.height / 100 <= legend_lines(6.875, names) * 1.3 * 7 / 72 + 0.1


def test_the_same_pictures_are_noticed():
    def panel(value, names=("a",)):
        arrays = {"names": np.array(names), "picture_0": np.full((2, 2, 3), value, np.uint8)}
        return ModelPanel("m", arrays)

    assert show_same_pictures([panel(1), panel(1)])
    assert not show_same_pictures([panel(1), panel(2)])
    assert not show_same_pictures([panel(1), panel(1, ("b",))])
