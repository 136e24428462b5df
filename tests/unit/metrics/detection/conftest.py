"""Objects and detections by hand and at random, and the reference implementation of COCO's numbers."""

import contextlib
import io
from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lsbench.metrics.detection.objects import Detections, TrueObjects

SIDE = 160


@pytest.fixture(scope="session")
def true() -> Callable[..., TrueObjects]:
    """Return objects with these boxes x y w h; labels are 0, areas those of the boxes, none is a crowd."""

    def make(*boxes, labels=None, areas=None, crowd=None, masks=None):
        array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        return TrueObjects(
            array,
            np.array(labels if labels is not None else [0] * len(array), dtype=np.int64),
            np.array(areas if areas is not None else array[:, 2] * array[:, 3], dtype=np.float64),
            np.array(crowd if crowd is not None else [False] * len(array), dtype=np.bool_),
            masks,
        )

    return make


@pytest.fixture(scope="session")
def found() -> Callable[..., Detections]:
    """Return detections with these boxes x y w h and scores; labels are 0."""

    def make(*boxes, scores=(), labels=None, masks=None):
        array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        corners = np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)
        return Detections(
            corners,
            np.array(scores, dtype=np.float64),
            np.array(labels if labels is not None else [0] * len(array), dtype=np.int64),
            masks,
        )

    return make


def ellipse(box):
    """Return the run lengths of an ellipse in a box."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    x, y, width, height = box
    inside = ((columns - x - width / 2) / width) ** 2 + ((rows - y - height / 2) / height) ** 2 <= 0.25
    return mask_api.encode(np.asfortranarray(inside.astype(np.uint8)))


@pytest.fixture(scope="session")
def random_data() -> tuple[list[TrueObjects], list[Detections], int]:
    """210 images with masks of ten classes, two without objects: crowds, empty images, equal scores."""
    rng = np.random.default_rng(7)
    classes, truths, founds = 10, [], []
    for image in range(210):
        count = 0 if image % 9 == 0 else int(rng.integers(1, 7))
        boxes = np.concatenate(
            [rng.uniform(0, 90, (count, 2)), rng.uniform(4, 70, (count, 2))], axis=1
        ).round(2)
        labels = rng.integers(0, classes - 2, count)
        crowd = rng.random(count) < 0.12
        masks = [ellipse(box) for box in boxes]
        areas = np.array([float(mask_api.area(mask)) for mask in masks]) * rng.uniform(0.8, 1.2, count)
        truths.append(TrueObjects(boxes, labels, areas, crowd, masks))
        near = boxes + rng.normal(0, 4, boxes.shape)
        extra = int(rng.integers(0, 5)) if image % 11 else 0
        away = np.concatenate([rng.uniform(0, 90, (extra, 2)), rng.uniform(4, 70, (extra, 2))], axis=1)
        every = np.concatenate([near, near[: count // 2] + 1, away])
        every[:, 2:] = every[:, 2:].clip(2)
        guessed = np.concatenate([labels, labels[: count // 2], rng.integers(0, classes, extra)])
        scores = rng.random(len(every)).round(1)
        corners = np.concatenate([every[:, :2], every[:, :2] + every[:, 2:]], axis=1)
        founds.append(Detections(corners, scores, guessed, [ellipse(box) for box in every]))
    return truths, founds, classes


@pytest.fixture(scope="session")
def reference() -> Callable[..., COCOeval]:
    """Return pycocotools' evaluation of the same objects and detections, for boxes or masks."""

    def evaluate(truths, founds, classes, region):
        annotations, results = [], []
        for image, (true, one) in enumerate(zip(truths, founds, strict=True), 1):
            for row in range(len(true.labels)):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image,
                        "category_id": int(true.labels[row]) + 1,
                        "bbox": true.boxes_xywh[row].tolist(),
                        "area": float(true.areas[row]),
                        "iscrowd": int(true.is_crowd[row]),
                        **({"segmentation": dict(true.masks[row])} if region == "mask" else {}),
                    }
                )
            boxes = one.boxes_xywh
            for row in range(len(one.labels)):
                where = (
                    {"segmentation": dict(one.masks[row])}
                    if region == "mask"
                    else {"bbox": boxes[row].tolist()}
                )
                results.append(
                    {
                        "image_id": image,
                        "category_id": int(one.labels[row]) + 1,
                        "score": float(one.scores[row]),
                        **where,
                    }
                )
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO()
            coco.dataset = {
                "info": {},
                "images": [{"id": image + 1, "height": SIDE, "width": SIDE} for image in range(len(truths))],
                "categories": [{"id": label + 1} for label in range(classes)],
                "annotations": annotations,
            }
            coco.createIndex()
            evaluator = COCOeval(coco, coco.loadRes(results), "bbox" if region == "box" else "segm")
            evaluator.evaluate()
            evaluator.accumulate()
            evaluator.summarize()
        return evaluator

    return evaluate
