"""The entries of the lists ``images`` and ``annotations`` of COCO's format, checked one by one.

Shapes: I images, N objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import DataError


@dataclass(frozen=True)
class ImageTable:
    """The images of a file in ascending order of ids; attributes as in ``Annotations``."""

    ids: NDArray[np.int64]
    names: tuple[str, ...]
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class ObjectTable:
    """The objects of a file in its order; `image` is the place of their image, the rest is as there."""

    image: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    labels: NDArray[np.int64]
    areas: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]


def read_images(file: Path, stored: Sequence[Any]) -> ImageTable:
    """Return the images of a file.

    Raises:
        DataError: If there is none, or an entry lacks something, or repeats an id or a file name.
    """
    if not stored:
        raise DataError(f"{file}: expected images, found none; list them under 'images'")
    found: dict[int, tuple[str, int, int]] = {}
    names: dict[str, int] = {}
    for number, entry in enumerate(stored):
        where = f"{file}: images[{number}]"
        fields: list[Any] = [entry.get(key) if isinstance(entry, dict) else None for key in _IMAGE_FIELDS]
        key, name, height, width = fields
        if type(key) is not int or not isinstance(name, str) or not _is_side(height) or not _is_side(width):
            raise DataError(
                f"{where}: expected a number 'id', a text 'file_name' and whole 'height' and 'width', "
                f"found {entry!r:.120}"
            )
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not name:
            raise DataError(f"{where}: expected a file below the folder of images, found '{name}'")
        if key in found:
            raise DataError(f"{where}: expected ids that differ, found {key} again ({found[key][0]}, {name})")
        if name in names:
            raise DataError(
                f"{where}: expected file names that differ, found '{name}' of id {names[name]} again"
            )
        names[name] = key
        found[key] = (name, int(height), int(width))
    ordered = sorted(found)
    sizes = np.array([found[key][1:] for key in ordered], dtype=np.int64)
    return ImageTable(np.array(ordered, dtype=np.int64), tuple(found[key][0] for key in ordered), sizes)


_IMAGE_FIELDS = ("id", "file_name", "height", "width")


def _is_side(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 and value == int(value)
    )


def read_objects(
    file: Path, stored: Sequence[Any], images: ImageTable, category_ids: NDArray[np.int64]
) -> ObjectTable:
    """Return the objects of a file.

    Where an entry has no ``area``, it is that of the box; without ``iscrowd`` it is one object.

    Raises:
        DataError: If an entry lacks something, repeats an id, or names an image or category that is not
            there.
    """
    place = {int(key): row for row, key in enumerate(images.ids)}
    label = {int(key): row for row, key in enumerate(category_ids)}
    seen: set[int] = set()
    rows: list[tuple[int, int, int, bool, float]] = []
    boxes: list[Any] = []
    for number, entry in enumerate(stored):
        try:
            key, box = entry["id"], entry["bbox"]
            x, y, width, height = box
            area, crowd = entry.get("area", width * height), entry.get("iscrowd", 0)
            row = (place[entry["image_id"]], key, label[entry["category_id"]], crowd == 1, area)
            is_good = type(key) is int and key not in seen and crowd in (0, 1)
            is_good = is_good and math.isfinite(x + y + width + height + area)
        except (KeyError, TypeError, ValueError, AttributeError):
            is_good = False
        if not is_good or width < 0 or height < 0:
            raise DataError(
                f"{file}: annotations[{number}]{_id_of(entry)}: {next(_faults(entry, place, label, seen))}"
            )
        seen.add(key)
        rows.append(row)
        boxes.append(box)
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return ObjectTable(
        image=np.array(columns[0], dtype=np.int64),
        ids=np.array(columns[1], dtype=np.int64),
        boxes_xywh=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        labels=np.array(columns[2], dtype=np.int64),
        areas=np.array(columns[4], dtype=np.float64),
        is_crowd=np.array(columns[3], dtype=np.bool_),
    )


def _id_of(entry: Any) -> str:
    return f" (id {entry['id']!r:.20})" if isinstance(entry, dict) and "id" in entry else ""


def _faults(entry: Any, images: dict[int, int], labels: dict[int, int], seen: set[int]) -> Iterator[str]:
    """Yield what is wrong with an entry of ``annotations``, and what to do; the first line counts."""
    if not isinstance(entry, dict):
        yield f"expected a mapping, found {entry!r:.40}"
        return
    missing = [key for key in ("id", "image_id", "category_id", "bbox") if key not in entry]
    if missing:
        yield f"expected '{missing[0]}', found none; add it"
        return
    for key, known in (("image_id", images), ("category_id", labels)):
        if type(entry[key]) is not int or entry[key] not in known:
            there = "images" if key == "image_id" else "categories"
            found = f"{key} {entry[key]!r:.40}"
            yield f"expected the id of one of the {there}, found {found}; correct or remove it"
    if entry.get("iscrowd", 0) not in (0, 1):
        yield f"expected 'iscrowd' as 0 or 1, found {entry['iscrowd']!r:.20}; correct it"
    if type(entry["id"]) is not int:
        yield "expected a whole number as id"
    elif entry["id"] in seen:
        yield "expected ids that differ, found this one again; number the annotations anew"
    yield (
        "expected 'bbox' as four finite numbers x, y, width and height, and a number 'area', found "
        f"{entry['bbox']!r:.60} and {entry.get('area')!r:.20}; correct or remove it"
    )
