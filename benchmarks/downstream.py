"""Time the metrics of detection and segmentation beside reference implementations, in turns, in one run.

Made-up data: COCO-like images with 80 categories and a hundred detections each, and label maps of 512 x 683
pixels with 150 classes. Each side gets the data as it takes it: pycocotools lists of entries, lsbench arrays
per image, torchmetrics tensors. CPU seconds of one thread, the median of all rounds; the numbers must agree.

    python benchmarks/downstream.py
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.classification import MulticlassJaccardIndex

from lsbench.metrics.detection.coco import evaluate_detections
from lsbench.metrics.detection.objects import Detections, TrueObjects, to_results
from lsbench.metrics.segmentation.confusion import ClassPixels, count_confusion
from lsbench.stats.resampled import difference_of_evaluations

CATEGORIES, CLASSES = 80, 150


def in_turns(rounds: int, **sides: Callable[[], Any]) -> dict[str, float]:
    """Return the median CPU seconds of each side, run in turns; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, run in sides.items():
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(values[1:]) for name, values in taken.items()}


def make_detections(images: int, seed: int = 0) -> tuple[list[TrueObjects], list[Detections]]:
    """Return objects and detections of images: about seven objects, and a hundred detections around them."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(images):
        count = int(rng.integers(0, 15))
        boxes = np.concatenate([rng.uniform(0, 400, (count, 2)), rng.lognormal(4, 0.8, (count, 2))], axis=1)
        labels = rng.integers(0, CATEGORIES, count)
        truth.append(TrueObjects(boxes, labels, boxes[:, 2] * boxes[:, 3] * 0.7, rng.random(count) < 0.02))
        rows = rng.integers(0, count, 100) if count else np.zeros(0, np.int64)
        near = boxes[rows] + rng.normal(0, 8, (len(rows), 4))
        near[:, 2:] = near[:, 2:].clip(1)
        guessed = np.where(rng.random(len(rows)) < 0.6, labels[rows], rng.integers(0, CATEGORIES, len(rows)))
        corners = np.concatenate([near[:, :2], near[:, :2] + near[:, 2:]], axis=1).astype(np.float32)
        found.append(Detections(corners, rng.random(len(rows)).astype(np.float32), guessed))
    return truth, found


def reference_of(truth: list[TrueObjects]) -> COCO:
    """Return the objects as pycocotools takes them."""
    coco = COCO()
    entries = [
        {"image_id": image, "bbox": box, "category_id": label + 1, "area": area, "iscrowd": int(crowd)}
        for image, one in enumerate(truth, 1)
        for box, label, area, crowd in zip(
            *(part.tolist() for part in (one.boxes_xywh, one.labels, one.areas, one.is_crowd)), strict=True
        )
    ]
    coco.dataset = {
        "info": {},
        "images": [{"id": image} for image in range(1, len(truth) + 1)],
        "categories": [{"id": label + 1} for label in range(CATEGORIES)],
        "annotations": [{"id": row + 1, **entry} for row, entry in enumerate(entries)],
    }
    coco.createIndex()
    return coco


def time_detection(images: int, rounds: int) -> None:
    """Print the seconds of COCO's twelve numbers, and those of a bootstrap of the kept matches."""
    truth, found = make_detections(images)
    results = to_results(found, range(1, images + 1), range(1, CATEGORIES + 1))
    known: dict[str, Any] = {}

    def reference() -> None:
        evaluator = COCOeval(coco, coco.loadRes([dict(one) for one in results]), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        known["reference"] = evaluator.stats

    def ours() -> None:
        known["ours"] = evaluate_detections(truth, found, CATEGORIES)

    with contextlib.redirect_stdout(io.StringIO()):
        coco = reference_of(truth)
        taken = in_turns(rounds, reference=reference, ours=ours)
    apart = max(abs(a - b) for a, b in zip(known["reference"], known["ours"].numbers.values(), strict=True))
    print(f"AP, {images} images, {len(results)} detections: pycocotools {taken['reference']:.2f} s, lsbench")
    print(
        f"  {taken['ours']:.2f} s with what is kept per image: {taken['reference'] / taken['ours']:.1f} times"
    )
    print(f"  as fast; the twelve numbers differ by at most {apart:.0e}")
    evaluate = known["ours"].matches.mean_average_precision
    resampled = in_turns(
        1, ours=lambda: difference_of_evaluations([(evaluate, evaluate)], images, resamples=20)
    )
    print(f"  one resample of a paired bootstrap: {resampled['ours'] / 21 * 1000:.1f} ms")


def time_segmentation(images: int, rounds: int) -> None:
    """Print the milliseconds of one label map."""
    rng = np.random.default_rng(0)
    maps = []
    for _ in range(images):
        target = (
            rng.integers(0, CLASSES, (16, 22), dtype=np.uint8).repeat(32, axis=0).repeat(32, axis=1)[:, :683]
        )
        predicted = np.where(rng.random(target.shape) < 0.7, target, rng.integers(0, CLASSES, target.shape))
        target = np.where(rng.random(target.shape) < 0.1, 255, target).astype(np.uint8)
        maps.append((target, predicted.astype(np.uint8)))
    tensors = [(torch.from_numpy(target), torch.from_numpy(predicted)) for target, predicted in maps]
    known: dict[str, float | None] = {}

    def reference() -> None:
        metric = MulticlassJaccardIndex(CLASSES, ignore_index=255)
        for target, predicted in tensors:
            metric.update(predicted, target)
        known["reference"] = float(metric.compute())

    def ours() -> None:
        pixels = ClassPixels.of(np.stack([count_confusion(*pair, CLASSES) for pair in maps]))
        known["ours"] = pixels.numbers()["miou"]

    taken = {
        name: seconds / images * 1000
        for name, seconds in in_turns(rounds, reference=reference, ours=ours).items()
    }
    print(f"mIoU, {CLASSES} classes, 512 x 683 pixels: torchmetrics {taken['reference']:.2f} ms an image,")
    print(f"  {taken['ours']:.2f} ms: {taken['reference'] / taken['ours']:.1f} times as fast; {known}")


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=250, help="images of the detection data")
    parser.add_argument("--maps", type=int, default=40, help="label maps")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    time_detection(options.images, options.rounds)
    time_segmentation(options.maps, options.rounds)


if __name__ == "__main__":
    main()
