"""Places for texts at boxes: near their box, within the picture, and not on each other if that can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Left, top, right and bottom.
_Area = tuple[float, float, float, float]


def place_labels(
    boxes: NDArray[np.float64], sizes: Sequence[tuple[float, float]], shape: tuple[int, ...]
) -> list[tuple[float, float]]:
    """Return the left and the top of the text of each box, in pixels.

    Each takes the first of these places that hides no earlier text, or else the one that hides least: above
    the box, inside of it at the top and at the bottom, and below it, on the left and then on the right.

    Args:
        boxes: Corners x1 y1 x2 y2, shape (N, 4), the most important first.
        sizes: Width and height of each text.
        shape: Height and width of the picture, at the start.
    """
    taken: list[_Area] = []
    for box, (width, height) in zip(boxes.tolist(), sizes, strict=True):
        areas = [_inside((x, y, x + width, y + height), shape) for x, y in _candidates(box, width, height)]
        taken.append(min(areas, key=lambda area: sum(_common(area, other) for other in taken)))
    return [(left, top) for left, top, _, _ in taken]


def _candidates(box: Sequence[float], width: float, height: float) -> list[tuple[float, float]]:
    left, top, right, bottom = box
    rows = (top - height, top, bottom - height, bottom)
    return [(x, y) for x in (left, right - width) for y in rows]


def _inside(area: _Area, shape: tuple[int, ...]) -> _Area:
    """Return an area moved into the picture; one that is larger begins at its left and top."""
    left, top, right, bottom = area
    x = max(0.0, min(left, shape[1] - (right - left)))
    y = max(0.0, min(top, shape[0] - (bottom - top)))
    return x, y, x + right - left, y + bottom - top


def _common(one: _Area, other: _Area) -> float:
    """Return the pixels that two areas share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
