"""Panels of pictures of any size in one figure, and the colours of classes on them.

Shapes: H rows, W columns of a picture; K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from lsbench.analyses._panels import COLUMN, FONT, LETTER, LINE, PAGE, fitted, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lsbench.analyses import Arrays, ModelPanel

    Colour = tuple[float, float, float]

#: Most pictures side by side.
ACROSS = 4
#: Largest height of a panel, in inches.
TALLEST = 2.6
#: Width of a letter over its size, for names that are mostly digits and capitals.
WIDE = 0.66
#: Room for the labels of rows, and between panels, in inches.
LABELS, GAP = 0.2, 0.04
#: Colours that people with any kind of colour vision tell apart: Okabe and Ito, then Tol's muted scheme.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"),
    *("#882255", "#999933", "#332288", "#44AA99", "#CC6677", "#117733", "#DDCC77", "#AA4499"),
)
#: Classes up to this number have colours of their own in every figure.
FIXED = 7
#: The class that stands for everything else, and its colour.
BACKGROUND, PALE = "background", (0.93, 0.93, 0.93)


def number_of_pictures(arrays: Arrays) -> int:
    """Return how many pictures the arrays of an analysis hold."""
    return len(arrays["names"])


def show_same_pictures(panels: Sequence[ModelPanel]) -> bool:
    """Return whether all models were given the same pictures."""
    first, *others = (panel.arrays for panel in panels)
    return all(
        np.array_equal(first["names"], other["names"])
        and all(
            np.array_equal(first[f"picture_{n}"], other[f"picture_{n}"])
            for n in range(number_of_pictures(first))
        )
        for other in others
    )


def in_rows(count: int) -> list[range]:
    """Return the numbers of the pictures of each row, which are evenly many.

    >>> in_rows(6), in_rows(2)
    ([range(0, 3), range(3, 6)], [range(0, 2)])
    """
    rows = -(-count // ACROSS)
    ends = [round(row * count / rows) for row in range(rows + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def picture_rows(
    figure: Figure,
    shapes: Sequence[Sequence[tuple[int, ...]]],
    *,
    rows: Sequence[str] = (),
    names: Sequence[Sequence[str]] = (),
    title: str = "",
    below: float = 0.0,
) -> tuple[list[list[Axes]], float]:
    """Return axes for rows of pictures, all equally high, and that height in inches; sets the figure's size.

    Args:
        figure: An empty figure.
        shapes: Of each picture of each row, beginning with height and width.
        rows: Labels of the rows, upright beside them; none: no labels.
        names: Files of the pictures of each row, to stand above them; none of a row: no names.
        title: Text above all rows.
        below: Room below all rows, in lines of text.
    """
    ratios = [[shape[1] / shape[0] for shape in row] for row in shapes]
    width = PAGE if max(map(len, shapes)) > 1 else COLUMN
    high = _height(ratios, width - GAP - (LABELS if rows else 0.0))
    beside = GAP + (LABELS + LINE * (max(title_lines(row, high) for row in rows) - 1) if rows else 0.0)
    high = _height(ratios, width - beside)
    filled = max(beside + high * sum(row) + GAP * len(row) for row in ratios)
    width = max(COLUMN, filled)
    above = GAP + (LINE * (title_lines(title, width) + 0.3) if title else 0.0)
    lines = [LINE if number < len(names) and len(names[number]) else 0.0 for number in range(len(ratios))]
    height = above + sum(lines) + len(ratios) * (high + GAP) + below * LINE
    figure.set_layout_engine("none")  # all places are known
    figure.set_size_inches(width, height)
    if title:
        figure.suptitle(title, fontsize=FONT, y=1 - GAP / height, va="top")
    every, top = [], height - above
    for number, row in enumerate(ratios):
        top -= lines[number] + high
        left, of_row = (width - filled) / 2 + beside, []
        for ratio in row:
            of_row.append(figure.add_axes((left / width, top / height, high * ratio / width, high / height)))
            left += high * ratio + GAP
        top -= GAP
        every.append(of_row)
    for axes in (axes for of_row in every for axes in of_row):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for of_row, label in zip(every, rows, strict=False):
        text, size = fitted(label, high)
        of_row[0].set_ylabel(text, fontsize=size, labelpad=2)
    for of_row, row, own in zip(every, ratios, names, strict=False):
        for axes, ratio, name in zip(of_row, row, own, strict=False):
            axes.set_title(shortened(name, high * ratio), fontsize=FONT - 1, pad=2)
    return every, high


def _height(ratios: Sequence[Sequence[float]], room: float) -> float:
    """Return the height of pictures whose longest row fits into some inches."""
    return min(TALLEST, *((room - GAP * len(row)) / sum(row) for row in ratios))


def shortened(text: str, room: float, size: float = FONT - 1) -> str:
    """Return the name of a file without its ending, as much of it as fits into some inches.

    >>> shortened("ADE_val_00000001.jpg", 0.5), shortened("dog.jpg", 0.5)
    ('ADE_…0001', 'dog')
    """
    text = PurePath(text).stem
    letters = max(5, int(room * 72 / (WIDE * size)))
    if len(text) <= letters:
        return text
    end = letters // 2
    return f"{text[: letters - 1 - end]}…{text[-end:]}"


def class_names(arrays: Arrays) -> list[str]:
    """Return the names of the classes of an analysis; some lists of classes have blanks at their ends."""
    return [str(name).strip() for name in arrays["classes"]]


def colours_of(panels: Sequence[ModelPanel], used: Mapping[str, int]) -> dict[str, Colour]:
    """Return the colour of each class that is used, by name: it is the same for all models.

    A few classes have their own in every figure. Of many, those of this figure share the colours in the order
    of their use, and from then on lighter and darker ones.

    Args:
        panels: The models, which may know different classes.
        used: How often, or on how many pixels, classes are used.
    """
    known = dict.fromkeys(name for panel in panels for name in class_names(panel.arrays))
    every = [name for name in known if name != BACKGROUND]
    there = [name for name in every if used.get(name)]
    if len(every) > FIXED:
        every = there = sorted(there, key=lambda name: -used[name])
    found = {name: _colour(every.index(name)) for name in there}
    return found | ({BACKGROUND: PALE} if used.get(BACKGROUND) else {})


def _colour(number: int) -> Colour:
    """Return the colour with a number: of the palette, then lighter, darker, and so on again."""
    from matplotlib.colors import to_rgb

    target, share = ((0.0, 0.0), (1.0, 0.45), (0.0, 0.4))[number // len(PALETTE) % 3]
    red, green, blue = (part + (target - part) * share for part in to_rgb(PALETTE[number % len(PALETTE)]))
    return red, green, blue


def tinted(
    pixels: NDArray[np.float64], mask: NDArray[np.bool_], colour: Colour, share: float
) -> NDArray[np.float64]:
    """Return pixels (H, W, 3) that take on a share of a colour where a mask (H, W) is true."""
    found: NDArray[np.float64] = pixels + (np.asarray(colour) - pixels) * (share * mask[..., None])
    return found


def luminance(colour: Colour) -> float:
    """Return the relative luminance of an sRGB colour, as the WCAG defines it.

    >>> luminance((1.0, 1.0, 1.0)), luminance((0.0, 0.0, 0.0))
    (1.0, 0.0)
    """
    values = np.asarray(colour, dtype=np.float64)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def letters_on(colour: Colour) -> str:
    """Return the colour of letters, black or white, that stand out more; their contrast is at least 4.5.

    >>> letters_on((1.0, 1.0, 0.0)), letters_on((0.0, 0.0, 0.5))
    ('black', 'white')
    """
    here = luminance(colour)
    return "black" if (here + 0.05) / 0.05 >= 1.05 / (here + 0.05) else "white"


def on_any_colour(width: float) -> list[Any]:
    """Return the effects of a line that has pale edges, `width` points in all, so that it stands out."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground=PALE), Normal()]


def add_legend(figure: Figure, entries: Mapping[str, Colour]) -> None:
    """Write the names of classes beside their colours below all panels, in as many columns as fit."""
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour, edgecolor="0.4", linewidth=0.3, label=name)
        for name, colour in entries.items()
    ]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=legend_columns(figure.get_figwidth(), list(entries)),
        fontsize=FONT - 1,
        frameon=False,
        handlelength=1.1,
        handleheight=0.9,
        handletextpad=0.4,
        columnspacing=1.0,
        borderaxespad=0.1,
        borderpad=0.1,
    )


def legend_columns(width: float, names: Sequence[str]) -> int:
    """Return the number of columns of a legend that is some inches wide."""
    one = (max(map(len, names), default=1) * LETTER + 2.6) * (FONT - 1) / 72
    return max(1, min(len(names), int(width / one)))


def legend_lines(width: float, names: Sequence[str]) -> float:
    """Return the lines of text that a legend takes."""
    return -(-len(names) // legend_columns(width, names)) * 1.05 + 0.3
