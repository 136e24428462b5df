"""Outlines of objects: polygons, or run lengths of a mask, as COCO's format has them.

Masks of polygons are those of COCO's own rasterizer, as faster-coco-eval has it.

Shapes: N objects, H rows, W columns.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import DataError
from lsbench.data.detection.run_lengths import Rle, compressed, count_pixels, decode

_NO_NUMBERS = "expected polygons of finite numbers, found others; correct it"


@dataclass(frozen=True)
class Outlines:
    """The outlines of N objects in little memory.

    Attributes:
        points: x and y of all corners of all polygons, one after the other, float64.
        polygon_ends: Where each polygon ends in `points`, int64.
        object_ends: Where the polygons of each object end in `polygon_ends`, int64, shape ``(N,)``.
        runs: Compressed run lengths of the objects that have these instead.
    """

    points: NDArray[np.float64]
    polygon_ends: NDArray[np.int64]
    object_ends: NDArray[np.int64]
    runs: dict[int, Rle]

    @classmethod
    def read(
        cls, file: Path, stored: Sequence[Any], numbers: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> Outlines | None:
        """Return the outlines of objects, or None if no object has one.

        Args:
            file: Their JSON file, for messages.
            stored: The entries of ``annotations``.
            numbers: Place of each entry in the file, for messages.
            sizes: Height and width of the image of each, shape ``(N, 2)``.

        Raises:
            DataError: If only some objects have an outline, or one is damaged or of another size than its
                image.
        """
        has_one = [bool(entry.get("segmentation")) for entry in stored]
        if not any(has_one):
            return None
        points, polygon_ends, object_ends = array("d"), array("q"), array("q")
        runs: dict[int, Rle] = {}
        for row, entry in enumerate(stored):
            outline, size = entry.get("segmentation"), (int(sizes[row, 0]), int(sizes[row, 1]))
            if problem := _problem(outline, size) or _add(outline, points, polygon_ends):
                raise DataError(f"{file}: annotations[{numbers[row]}] (id {entry['id']}): {problem}")
            if isinstance(outline, dict):
                runs[row] = compressed(outline)
            object_ends.append(len(polygon_ends))
        found = cls(np.array(points), np.array(polygon_ends), np.array(object_ends), runs)
        if (bad := found.first_infinite()) is not None:
            raise DataError(f"{file}: annotations[{numbers[bad]}] (id {stored[bad]['id']}): {_NO_NUMBERS}")
        return found

    def first_infinite(self) -> int | None:
        """Return the first object with a corner that is no finite number, or None."""
        places = np.flatnonzero(~np.isfinite(self.points))
        if not len(places):
            return None
        polygon = np.searchsorted(self.polygon_ends, places[0], side="right")
        return int(np.searchsorted(self.object_ends, polygon, side="right"))

    def rle(self, row: int, height: int, width: int) -> Rle:
        """Return the compressed run lengths of the mask of an object.

        Args:
            row: The object.
            height: Height of its image, pixels.
            width: Width of its image.
        """
        if row in self.runs:
            return self.runs[row]
        from faster_coco_eval.core import mask

        first = int(self.object_ends[row - 1]) if row else 0
        polygons = []
        for one in range(first, int(self.object_ends[row])):
            start = int(self.polygon_ends[one - 1]) if one else 0
            polygons.append(self.points[start : int(self.polygon_ends[one])].tolist())
        found: Rle = mask.merge(mask.frPyObjects(polygons, height, width))
        return found

    def masks(self, rows: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
        """Return pixels of objects of one image as 0 and 1, shape ``(N, H, W)``; arguments as :meth:`rle`."""
        return decode([self.rle(row, height, width) for row in rows], height, width)


def _problem(outline: Any, size: tuple[int, int]) -> str | None:
    """Return what is wrong with an outline in an image of this height and width, or None."""
    if isinstance(outline, dict):
        return _problem_of_runs(outline, size)
    if not isinstance(outline, list) or not outline:
        return "expected an outline like the other objects have, found none; add 'segmentation' or remove it"
    for polygon in outline:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return f"expected polygons of at least three corners x, y, found {polygon!r:.60}; correct it"
    return None


def _add(outline: Any, points: array[float], polygon_ends: array[int]) -> str | None:
    """Append the polygons of an outline, and return the problem of a corner that is no number, or None."""
    try:
        for polygon in outline if isinstance(outline, list) else ():
            points.extend(polygon)
            polygon_ends.append(len(points))
    except TypeError:
        return _NO_NUMBERS
    return None


def _problem_of_runs(outline: dict[str, Any], size: tuple[int, int]) -> str | None:
    counts, found = outline.get("counts"), outline.get("size")
    if not isinstance(found, list) or not isinstance(counts, list | str | bytes):
        return f"expected run lengths as 'size' and 'counts', found {outline!r:.60}; correct it"
    if tuple(found) != size:
        return (
            f"expected a mask of {size[0]} x {size[1]} pixels like its image, found "
            f"{' x '.join(map(str, found))} (height x width); correct it"
        )
    pixels = count_pixels(counts)
    if pixels != size[0] * size[1]:
        found = "damaged ones" if pixels is None else f"{pixels}"
        return f"expected run lengths of {size[0] * size[1]} pixels in all, found {found}; correct it"
    return None
