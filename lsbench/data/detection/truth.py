"""What detections are compared with, and detections as metrics take them.

Shapes: N objects, H rows, W columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lsbench.data.detection.run_lengths import encode
from lsbench.data.detection.samples import DetectionSplit
from lsbench.metrics.detection.objects import Detections, TrueObjects


def true_objects(split: DetectionSplit) -> list[TrueObjects]:
    """Return all objects of each image in use, crowds too; masks where the split was opened with them."""
    found = split.annotations
    outlines = found.outlines if split.has_masks else None
    every = []
    for row in split.rows:
        objects = found.objects(row)
        height, width = found.sizes[row].tolist()
        masks = None
        if outlines is not None:
            masks = [outlines.rle(one, height, width) for one in range(objects.start, objects.stop)]
        every.append(
            TrueObjects(
                found.boxes_xywh[objects],
                found.labels[objects],
                found.areas[objects],
                found.is_crowd[objects],
                masks,
            )
        )
    return every


def to_detections(boxes: Any, scores: Any, labels: Any, masks: Any = None) -> Detections:
    """Return what a detector found in an image, from arrays or tensors on the CPU; masks become run lengths.

    Args:
        boxes: Corners x1 y1 x2 y2, pixels of the original image, ``(N, 4)``.
        scores: Confidences, ``(N,)``.
        labels: Classes from 0, ``(N,)``.
        masks: Pixels of each object, ``(N, H, W)``; None without masks.
    """
    runs = None if masks is None else encode(np.asarray(masks))
    return Detections(np.asarray(boxes).reshape(-1, 4), np.asarray(scores), np.asarray(labels), runs)
