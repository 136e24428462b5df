"""The objects of one split, read from a JSON file in COCO's format into columns.

Shapes: I images, N objects. Sources number categories and images as they like; here the class of an object is
the place of its category among the ascending ids, and images are in ascending order of their ids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.counted import counted
from lsbench.core.errors import DataError
from lsbench.data.detection import entries
from lsbench.data.detection.outlines import Outlines

SMALLEST_BOX = 1.0
"""Boxes of less width or height, in pixels, are not trained on."""
SMALLEST_IMAGE = 32
"""Images with a shorter side, in pixels, are not trained on."""


@dataclass(frozen=True)
class Annotations:
    """Images and their objects.

    Attributes:
        file: The JSON file.
        image_ids: int64, ascending, shape ``(I,)``.
        names: Path of each image below the folder of images.
        sizes: Height and width of each image, pixels, int64, shape ``(I, 2)``.
        first: The objects of image ``i`` are those from ``first[i]`` to ``first[i + 1]``, shape ``(I + 1,)``.
        ids: Id of each object, int64, shape ``(N,)``.
        boxes_xywh: Left, top, width and height, pixels, as in the file, float64, shape ``(N, 4)``.
        labels: Class of each object, int64, shape ``(N,)``.
        areas: Area of each object, square pixels, as the file says, float64, shape ``(N,)``.
        is_crowd: Whether an outline is around a group of objects, bool, shape ``(N,)``.
        outlines: Outline of each object; None if not every object has one.
    """

    file: Path
    image_ids: NDArray[np.int64]
    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    first: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    labels: NDArray[np.int64]
    areas: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    outlines: Outlines | None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def objects(self, image: int) -> slice:
        """Return the places of the objects of an image."""
        return slice(int(self.first[image]), int(self.first[image + 1]))

    @property
    def image_of(self) -> NDArray[np.int64]:
        """The image of each object, shape ``(N,)``."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    def inside(self) -> NDArray[np.float64]:
        """Return width and height of the part of each box that is inside of its image, shape ``(N, 2)``."""
        near = self.boxes_xywh[:, :2]
        far = np.minimum(near + self.boxes_xywh[:, 2:], self.sizes[self.image_of][:, ::-1])
        inside: NDArray[np.float64] = np.clip(far - np.maximum(near, 0), 0, None)
        return inside

    def is_trained_on(self) -> NDArray[np.bool_]:
        """Return whether each object is used in training, shape ``(N,)``.

        Left out are crowds, boxes below one pixel or outside of the image, and objects without area.
        """
        is_large = (self.boxes_xywh[:, 2:] >= SMALLEST_BOX).all(axis=1) & (self.areas > 0)
        return is_large & ~self.is_crowd & (self.inside() > 0).all(axis=1)

    def training_images(self) -> NDArray[np.int64]:
        """Return the images that are trained on: those of at least 32 pixels with an object for training."""
        objects = np.bincount(self.image_of[self.is_trained_on()], minlength=len(self))
        return np.flatnonzero(
            (objects > 0) & (self.sizes.min(axis=1, initial=SMALLEST_IMAGE) >= SMALLEST_IMAGE)
        )

    def without_training_images(self) -> str | None:
        """Return the problem of those that train if no image can be trained on, else None."""
        if len(self.training_images()):
            return None
        return (
            f"expected images with boxes to train on in {self.file}, found {counted(len(self), 'image')} "
            f"without any; crowds, boxes below 1 pixel and images below {SMALLEST_IMAGE} pixels do not count"
        )

    def without_masks(self) -> str | None:
        """Return the problem of those that need masks if objects have boxes alone, else None."""
        if self.outlines is not None:
            return None
        return (
            f"expected objects with masks in {self.file}, found none; add 'segmentation' to the annotations, "
            "or train a detector without masks"
        )


def read_annotations(file: Path, category_ids: Sequence[int], *, with_outlines: bool = True) -> Annotations:
    """Return the images and objects of a JSON file.

    Args:
        file: A JSON file in COCO's format.
        category_ids: Ids of the classes, ascending; the file must have exactly these.
        with_outlines: Whether to read outlines, which take most of the memory.

    Raises:
        DataError: If the file is not as expected; names the entry.
    """
    content = read_json(file)
    found = tuple(sorted(category_names(file, content)))
    if found != tuple(category_ids):
        odd = sorted(set(found) ^ set(category_ids))[:3]
        raise DataError(
            f"{file}: expected the {len(category_ids)} categories of the data set, found {len(found)}, which "
            f"differ in the ids {', '.join(map(str, odd))}; all splits have the same categories"
        )
    images = entries.read_images(file, content["images"])
    objects = entries.read_objects(file, content["annotations"], images, np.asarray(category_ids))
    order = np.argsort(objects.image, kind="stable")
    outlines = None
    if with_outlines:
        stored = content["annotations"]
        outlines = Outlines.read(
            file, [stored[row] for row in order], order, images.sizes[objects.image[order]]
        )
    return Annotations(
        file=file,
        image_ids=images.ids,
        names=images.names,
        sizes=images.sizes,
        first=np.searchsorted(objects.image[order], np.arange(len(images.names) + 1)),
        ids=objects.ids[order],
        boxes_xywh=objects.boxes_xywh[order],
        labels=objects.labels[order],
        areas=objects.areas[order],
        is_crowd=objects.is_crowd[order],
        outlines=outlines,
    )


def read_json(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file with the lists of COCO's format.

    Raises:
        DataError: If it is no JSON file, or lacks a list.
    """
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"expected annotations at {file}, found: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: expected a JSON file, found: {error}; write it again") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{file}: expected COCO's format, found no list '{key}'; add it")
    found: dict[str, Any] = content
    return found


def category_names(file: Path, content: dict[str, Any]) -> dict[int, str]:
    """Return the name of each category by id, in ascending order of ids.

    Raises:
        DataError: If there is none, or one has no id, no name, or the id of another.
    """
    found: dict[int, str] = {}
    for number, category in enumerate(content["categories"]):
        where = f"{file}: categories[{number}]"
        key, name = (category.get(part) if isinstance(category, dict) else None for part in ("id", "name"))
        if type(key) is not int or not isinstance(name, str) or not name.strip():
            raise DataError(f"{where}: expected a number 'id' and a text 'name', found {category!r:.80}")
        if key in found:
            raise DataError(f"{where}: expected ids that differ, found {key} again ({found[key]}, {name})")
        found[key] = name
    if not found:
        raise DataError(f"{file}: expected categories, found none; list them under 'categories'")
    return dict(sorted(found.items()))


def other_size(path: Path, found: Sequence[int], expected: Sequence[int], file: Path) -> str:
    """Return the message for an image of another size than its JSON file says; sizes are height and width."""
    return (
        f"expected {path} with {expected[0]} x {expected[1]} pixels as in {file}, "
        f"found {found[0]} x {found[1]} (height x width); correct one of them"
    )
