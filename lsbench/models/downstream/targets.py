"""The objects of images that a detector is trained on: torchvision's targets, with labels from 0.

Shapes: M objects of an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from lsbench.core.errors import DataError

Size: TypeAlias = tuple[int, int]
Target: TypeAlias = Mapping[str, Any]


def image_size_of(target: Target, images: Tensor) -> Size:
    """Return the height and width of a target's image before padding: its ``image_size``, or the batch's."""
    height, width = target.get("image_size", images.shape[-2:])
    return int(height), int(width)


def check_objects(targets: Sequence[Target], num_classes: int, *, with_masks: bool = False) -> None:
    """Check the objects of a batch before a loss of them becomes NaN.

    Args:
        targets: For each image ``boxes`` (M, 4), ``labels`` (M,) and, if asked for, ``masks`` (M, h, w).
        num_classes: Labels are below it.
        with_masks: Whether there must be masks.

    Raises:
        DataError: If shapes do not fit, a box has no area, or a label is no class; the first one in one line.
    """
    for number, target in enumerate(targets):
        boxes, labels = target["boxes"], target["labels"]
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise DataError(f"image {number} of the batch: boxes have shape {_shape(boxes)}, not (M, 4)")
        if labels.shape != boxes.shape[:1]:
            raise DataError(f"image {number} of the batch: {len(boxes)} boxes, but labels {_shape(labels)}")
        if with_masks and ("masks" not in target or len(target["masks"]) != len(boxes)):
            found = len(target["masks"]) if "masks" in target else "no"
            raise DataError(f"image {number} of the batch: {len(boxes)} boxes, but {found} masks")
    boxes = torch.cat([target["boxes"] for target in targets])
    labels = torch.cat([target["labels"] for target in targets])
    is_right = (boxes[:, 2:] > boxes[:, :2]).all(dim=1) & (labels >= 0) & (labels < num_classes)
    if not is_right.all():  # the only time that a GPU is waited for
        _refuse(targets, num_classes)


def _refuse(targets: Sequence[Target], num_classes: int) -> None:
    for number, target in enumerate(targets):
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            sides = ", ".join(f"{side:g}" for side in box)
            if not (box[2] > box[0] and box[3] > box[1]):
                raise DataError(f"image {number} of the batch: box ({sides}) has no area; leave it out")
            if not 0 <= label < num_classes:
                raise DataError(
                    f"image {number} of the batch: label {label} of box ({sides}) is none of {num_classes} "
                    "classes, which count from 0"
                )


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
