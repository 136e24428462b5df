"""COCO's twelve numbers for boxes or masks, computed by faster-coco-eval.

Shapes: K classes.

Source:
    Lin et al., Microsoft COCO, ECCV 2014, arXiv:1405.0312, and the evaluation code of cocodataset.org, which
    faster-coco-eval follows number for number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.counted import counted
from lsbench.core.errors import DataError
from lsbench.core.garbage import no_garbage_collection
from lsbench.metrics.detection.matches import AREAS, Matches, match
from lsbench.metrics.detection.numbers import NUMBERS, Region
from lsbench.metrics.detection.objects import Detections, TrueObjects

#: faster-coco-eval's words for what overlaps.
_WORDS = {"box": "bbox", "mask": "segm"}


@dataclass(frozen=True)
class CocoScores:
    """The evaluation of a detector over a data set.

    Attributes:
        numbers: The twelve numbers by name, fractions; None where no object is in the range.
        of_classes: The same for each class, shape ``(K,)``; NaN where a class has no object in the range.
        matches: What is kept of each image.
    """

    numbers: Mapping[str, float | None]
    of_classes: Mapping[str, NDArray[np.float64]]
    matches: Matches


def evaluate_detections(
    truth: Sequence[TrueObjects],
    found: Sequence[Detections],
    num_classes: int,
    *,
    region: Region = "box",
    threads: int = 1,
) -> CocoScores:
    """Return COCO's numbers over a data set.

    Every image counts, also those without objects, in which each detection is wrong. Without any detection
    the numbers are 0.

    Args:
        truth: The objects of each image.
        found: The detections of each image, in the same order.
        num_classes: K.
        region: Whether boxes or masks have to overlap.
        threads: CPU threads for the overlaps of masks.

    Raises:
        DataError: If the numbers of images differ, masks are needed and not there, a class is beyond K, or a
            score is no finite number.
    """
    _check(truth, found, num_classes, region)
    from faster_coco_eval.core.coco import COCO
    from faster_coco_eval.core.faster_eval_api import COCOeval_faster

    shared = {
        "images": [
            _image_entry(*pair, place) for place, pair in enumerate(zip(truth, found, strict=True), 1)
        ],
        "categories": [{"id": label} for label in range(1, num_classes + 1)],
    }
    areas = [_areas(one, region) for one in found]
    with no_garbage_collection():  # it would look at every entry each time, and none is garbage
        evaluator = COCOeval_faster(
            COCO({**shared, "annotations": _true_entries(truth, region)}),
            COCO({**shared, "annotations": _found_entries(found, areas, region)}),
            iouType=_WORDS[region],
            rle_iou_max_workers=threads,
        )
        evaluator.evaluate()
        evaluator.accumulate()
    overlaps = {(image - 1, label - 1): values for (image, label), values in evaluator.ious.items()}
    of_classes = {name: _of_classes(evaluator.eval, name) for name in NUMBERS}
    numbers = {name: _number(evaluator.eval, name) for name in NUMBERS}
    return CocoScores(numbers, of_classes, match(truth, found, num_classes, overlaps, areas))


def _image_entry(true: TrueObjects, found: Detections, number: int) -> dict[str, Any]:
    """Return the entry of an image; its size is that of its masks, and unused without."""
    height, width = next((runs["size"] for runs in (*(true.masks or ()), *(found.masks or ()))), (1, 1))
    return {"id": number, "height": height, "width": width}


def _check(
    truth: Sequence[TrueObjects], found: Sequence[Detections], num_classes: int, region: Region
) -> None:
    if len(truth) != len(found):
        raise DataError(f"expected detections of {counted(len(truth), 'image')}, found those of {len(found)}")
    every: list[TrueObjects | Detections] = [*truth, *found]
    for place, one in enumerate(every):
        image = place % len(truth)
        if len(one.labels) and not 0 <= one.labels.min() <= one.labels.max() < num_classes:
            raise DataError(
                f"expected classes from 0 to {num_classes - 1} in image {image}, found "
                f"{one.labels.min()} to {one.labels.max()}"
            )
        if isinstance(one, Detections) and not np.isfinite(one.scores).all():
            raise DataError(f"expected finite scores in image {image}, found others; the model has diverged")
        if region == "mask" and one.masks is None and len(one.labels):
            raise DataError(f"expected objects with masks in image {image}, found boxes alone")


def _areas(found: Detections, region: Region) -> NDArray[np.float64]:
    """Return the area of each detection: its mask's or its box's."""
    if region == "mask" and found.masks:
        from faster_coco_eval.core import mask

        areas: NDArray[np.float64] = np.asarray(mask.area(list(found.masks)), dtype=np.float64)
        return areas
    boxes = found.boxes_xywh
    return boxes[:, 2] * boxes[:, 3]


def _true_entries(truth: Sequence[TrueObjects], region: Region) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for image, one in enumerate(truth, 1):
        columns = (one.boxes_xywh, one.labels, one.areas, one.is_crowd)
        for row, (box, label, area, crowd) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            entry = {
                "bbox": box,
                "area": area,
                "iscrowd": int(crowd),
                "image_id": image,
                "category_id": label + 1,
            }
            if region == "mask" and one.masks is not None:
                entry["segmentation"] = one.masks[row]
            entries.append({"id": len(entries) + 1, **entry})
    return entries


def _found_entries(
    found: Sequence[Detections], areas: Sequence[NDArray[np.float64]], region: Region
) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for image, (one, area) in enumerate(zip(found, areas, strict=True), 1):
        columns = (one.boxes_xywh, one.labels, area, one.scores)
        for row, (box, label, size, score) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            entry = {"bbox": box, "area": size, "iscrowd": 0, "image_id": image, "category_id": label + 1}
            if region == "mask" and one.masks is not None:
                entry["segmentation"] = one.masks[row]
            entries.append({"id": len(entries) + 1, "score": score, **entry})
    return entries


def _values(evaluation: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    """Return what a number is the mean of, by class in the last axis; -1 where there is no object."""
    is_precision, threshold, area, most = NUMBERS[name]
    steps = slice(None) if threshold is None else slice(threshold, threshold + 1)
    place = list(AREAS).index(area)
    if is_precision:
        precision: NDArray[np.float64] = evaluation["precision"][steps, :, :, place, most]
        return precision.reshape(-1, precision.shape[-1])
    recall: NDArray[np.float64] = evaluation["recall"][steps, :, place, most]
    return recall


def _number(evaluation: Mapping[str, Any], name: str) -> float | None:
    values = _values(evaluation, name)
    counted = values[values > -1]
    return float(counted.mean()) if counted.size else None


def _of_classes(evaluation: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    values = _values(evaluation, name)
    means: NDArray[np.float64] = values.mean(axis=0)
    return np.where((values > -1).all(axis=0), means, np.nan)
