"""Pictures of several models side by side: sizes of papers, labels that fit, and one colour scale."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lsbench.analyses import Arrays, ModelPanel

#: Width of one column, and of both, on a page of two columns, in inches.
COLUMN, PAGE = 3.25, 6.875
#: Room beside the panels for row labels and a colour bar, in inches.
BESIDE = 0.75
#: Sizes of letters in points, and the width of a letter over its size.
FONT, SMALLEST, LETTER = 7.0, 5.0, 0.56
#: Height of a line of text, in inches.
LINE = 1.3 * FONT / 72
#: Part of a panel's side that its title may take, as ticks and gaps take the rest.
TITLED = 0.85
COLOURS = "viridis"
#: Number of images that are drawn.
SHOWN = 4


def width_of(columns: int, most: int) -> float:
    """Return the width of a figure in inches: one column of a page for at most `most` columns, else both."""
    return COLUMN if columns <= most else PAGE


def side_of(columns: int, most: int) -> float:
    """Return the side of a panel in inches, with the gap to the next one."""
    return (width_of(columns, most) - BESIDE) / max(columns, most / 2)


def grid(
    figure: Figure, rows: int, columns: int, *, most: int, labels: float, below: float = 0.0, **more: Any
) -> NDArray[Any]:
    """Return axes, shape (rows, columns), of square panels; sets the figure's size.

    Args:
        figure: An empty figure.
        rows: Number of rows.
        columns: Number of columns.
        most: Most columns in one column of a page.
        labels: Lines of text above and below the panels of each row.
        below: Further lines of text above and below all rows.
        more: Arguments of `subplots`.
    """
    height = rows * side_of(columns, most) + (rows * labels + below) * LINE
    figure.set_size_inches(width_of(columns, most), height)
    every: NDArray[Any] = figure.subplots(rows, columns, squeeze=False, **more)
    return every


def side_by_side(
    figure: Figure, panels: Sequence[ModelPanel], *, most: int, labels: float, below: float = 0.0, **more: Any
) -> list[Axes]:
    """Return axes for panels, row by row, with their labels as titles; sets the figure's size.

    Args:
        figure: An empty figure.
        panels: What will be drawn.
        most: Most panels of a row in one column of a page; a row over both takes twice as many.
        labels: Lines of text below the panels of each row.
        below: Lines of text below all rows.
        more: Arguments of `subplots`.
    """
    columns = min(len(panels), 2 * most)
    room = side_of(columns, most) * TITLED
    labels += max(title_lines(panel.label, room) for panel in panels)
    rows = math.ceil(len(panels) / columns)
    every = grid(figure, rows, columns, most=most, labels=labels, below=below, **more)
    for axes, panel in zip(every.flat, panels, strict=False):
        set_title(axes, panel.label, room)
    for spare in every.flat[len(panels) :]:
        spare.set_axis_off()
    return list(every.flat[: len(panels)])


def title_lines(text: str, room: float) -> int:
    """Return the number of lines that a title takes."""
    return fitted(text, room)[0].count("\n") + 1


def set_title(axes: Axes, text: str, room: float) -> None:
    """Write a title above a panel that is `room` inches wide."""
    text, size = fitted(text, room)
    axes.set_title(text, fontsize=size)


def set_row_label(axes: Axes, text: str, room: float) -> None:
    """Write the label of a row, upright, beside a panel that is `room` inches high."""
    text, size = fitted(text, room)
    axes.set_ylabel(text, fontsize=size)


def fitted(text: str, room: float) -> tuple[str, float]:
    """Return a label broken between words to fit into some inches, and its size in points.

    >>> fitted("LS conv (random weights)", 0.6)[0].splitlines()
    ['LS conv', '(random', 'weights)']
    """
    longest = max(map(len, text.split()), default=1)
    size = min(FONT, max(SMALLEST, room * 72 / (LETTER * longest)))
    letters = max(longest, int(room * 72 / (LETTER * size)))
    lines = (textwrap.fill(line, letters, break_on_hyphens=False) for line in text.split("\n"))
    return "\n".join(lines), size


def without_ticks(every: Iterable[Axes]) -> None:
    """Leave out the ticks of panels that show images."""
    for axes in every:
        axes.set(xticks=[], yticks=[])


def common_scale(maps: Iterable[NDArray[np.float64]]) -> Normalize:
    """Return one linear scale over all maps, from the smallest to the largest value."""
    from matplotlib.colors import Normalize

    ends = [(float(one.min()), float(one.max())) for one in maps]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return Normalize(low, high if high > low else low + 1.0)


def relative(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Return maps (N, h, w), each divided by its mean.

    >>> relative(np.array([[[1.0, 3.0]]])).tolist()
    [[[0.5, 1.5]]]
    """
    found: NDArray[np.float64] = maps / np.maximum(maps.mean(axis=(1, 2), keepdims=True), 1e-300)
    return found


def choose_shown(count: int, most: int = SHOWN) -> NDArray[np.int64]:
    """Return the positions of the images that are drawn: some, evenly spaced, as images are sorted by class.

    >>> choose_shown(50).tolist(), choose_shown(3).tolist()
    ([0, 16, 33, 49], [0, 1, 2])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def shown_of(arrays: Arrays, name: str) -> NDArray[Any]:
    """Return an array's values for the images that are drawn; earlier results drew the first ones."""
    pictures = arrays["pictures"]
    found: NDArray[Any] = arrays[name][arrays.get("shown", np.arange(len(pictures)))]
    return found


def show_same_images(panels: Sequence[ModelPanel]) -> bool:
    """Return whether all models were given the same images, so that each is drawn once."""
    first = panels[0].arrays["pictures"]
    return all(np.array_equal(panel.arrays["pictures"], first) for panel in panels[1:])
