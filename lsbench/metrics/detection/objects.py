"""Objects of one image: the true ones, and those that a detector found.

Shapes: N objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Compressed run lengths of a mask: ``size`` (height, width) and ``counts`` (bytes).
Runs = dict[str, Any]


@dataclass(frozen=True)
class TrueObjects:
    """The objects of an image.

    Attributes:
        boxes_xywh: Left, top, width and height, pixels, float64, shape ``(N, 4)``.
        labels: Classes from 0, shape ``(N,)``.
        areas: Areas, square pixels, which sort objects into small, medium and large, shape ``(N,)``.
        is_crowd: Whether it is a group of objects, which is no miss and hides detections inside, shape
            ``(N,)``.
        masks: Run lengths of each mask; None without masks.
    """

    boxes_xywh: NDArray[np.float64]
    labels: NDArray[np.int64]
    areas: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    masks: Sequence[Runs] | None = None


@dataclass(frozen=True)
class Detections:
    """The objects that a detector found in an image, in any order.

    Attributes:
        boxes: Corners x1 y1 x2 y2, pixels of the original image, shape ``(N, 4)``.
        scores: Confidences, shape ``(N,)``.
        labels: Classes from 0, shape ``(N,)``.
        masks: Run lengths of each mask; None without masks.
    """

    boxes: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]
    labels: NDArray[np.integer[Any]]
    masks: Sequence[Runs] | None = None

    @property
    def boxes_xywh(self) -> NDArray[np.float64]:
        """Left, top, width and height of the boxes, shape ``(N, 4)``."""
        corners = np.asarray(self.boxes, dtype=np.float64).reshape(-1, 4)
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def to_results(
    found: Sequence[Detections], image_ids: Sequence[int], category_ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Return detections as a list of results in COCO's format, for other programs and servers.

    Entries with a mask have no box, so that their area is the mask's.

    Args:
        found: Detections of each image.
        image_ids: Id of each image.
        category_ids: Id of each class.
    """
    results: list[dict[str, Any]] = []
    for image, one in zip(image_ids, found, strict=True):
        boxes = one.boxes_xywh.tolist()
        for row, (score, label) in enumerate(zip(one.scores.tolist(), one.labels.tolist(), strict=True)):
            entry: dict[str, Any] = {"image_id": image, "category_id": category_ids[label], "score": score}
            if one.masks is None:
                entry["bbox"] = boxes[row]
            else:
                runs = one.masks[row]
                entry["segmentation"] = {"size": list(runs["size"]), "counts": runs["counts"].decode()}
            results.append(entry)
    return results
