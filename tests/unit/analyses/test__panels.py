import numpy as np
import pytest

from lsbench.analyses import ModelPanel
from lsbench.analyses._panels import (
    COLUMN,
    FONT,
    PAGE,
    SMALLEST,
    common_scale,
    fitted,
    relative,
    show_same_images,
    side_by_side,
    side_of,
)


@pytest.mark.parametrize("room", [0.3, 0.6, 1.2, 3.0])
@pytest.mark.parametrize("text", ["LS conv (random weights)", "large_small_static", "w/o LKP\nSKA", "A-B c"])
def test_a_label_is_broken_between_words_alone_and_stays_readable(text, room):
    found, size = fitted(text, room)
    assert found.split() == text.split()
    assert SMALLEST <= size <= FONT
    lines = found.split("\n")
    longest = max(map(len, text.split()))
    assert max(map(len, lines)) <= max(longest, room * 72 / (0.5 * size))


def test_one_scale_spans_all_maps_even_if_they_are_flat():
    scale = common_scale([np.array([[1.0, 2.0]]), np.array([[-3.0, 0.5]])])
    assert (scale.vmin, scale.vmax) == (-3.0, 2.0)
    flat = common_scale([np.ones((2, 2))])
    assert flat.vmin < flat.vmax


def test_maps_are_relative_to_their_own_mean_and_zeros_stay_zeros():
    maps = np.stack([np.full((2, 2), 4.0), np.array([[0.0, 0.0], [0.0, 8.0]]), np.zeros((2, 2))])
    found = relative(maps)
    assert found.mean(axis=(1, 2)) == pytest.approx([1, 1, 0])
    assert found[1].max() == pytest.approx(4)


def test_images_are_the_same_only_if_every_pixel_is():
    one, other = np.zeros((2, 3, 3, 3)), np.ones((2, 3, 3, 3))
    panels = [
        ModelPanel(name, {"pictures": of}) for name, of in (("a", one), ("b", one.copy()), ("c", other))
    ]
    assert show_same_images(panels[:2])
    assert not show_same_images(panels)


@pytest.mark.parametrize(
    ("count", "width", "rows"), [(1, COLUMN, 1), (2, COLUMN, 1), (3, PAGE, 1), (5, PAGE, 2)]
)
def test_a_figure_has_the_width_of_one_column_or_of_both(count, width, rows):
    from matplotlib.figure import Figure

    figure = Figure()
    every = side_by_side(figure, [ModelPanel(f"p{n}", {}) for n in range(count)], most=2, labels=1)
    assert [axes.get_title() for axes in every] == [f"p{n}" for n in range(count)]
    assert figure.get_figwidth() == width
    assert every[0].get_gridspec().nrows == rows
    assert side_of(min(count, 4), 2) * min(count, 4) < width
    assert all(not axes.axison for axes in figure.axes[count:])
