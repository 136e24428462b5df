import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lsbench.metrics.detection.objects import to_results

SPARSE = (1, 13, 90)
BOXES = [[10.0, 10, 50, 50], [70.0, 10, 50, 50], [10.0, 70, 50, 50]]


def average_precision(results):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": 77, "height": 160, "width": 160}],
            "categories": [{"id": number} for number in SPARSE],
            "annotations": [
                {
                    "id": row + 1,
                    "image_id": 77,
                    "category_id": number,
                    "bbox": box,
                    "area": 2500,
                    "iscrowd": 0,
                }
                for row, (number, box) in enumerate(zip(SPARSE, BOXES, strict=True))
            ],
        }
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats[0]


def test_results_name_the_ids_of_the_categories_and_not_their_places(found):
    perfect = found(*BOXES, scores=[0.9, 0.8, 0.7], labels=[0, 1, 2])
    assert average_precision(to_results([perfect], [77], SPARSE)) == pytest.approx(1.0)
    assert average_precision(to_results([perfect], [77], (1, 2, 3))) == pytest.approx(1 / 3, abs=1e-4)


def test_results_with_masks_have_no_box(found):
    runs = {"size": [4, 4], "counts": b"03"}
    (entry,) = to_results([found(BOXES[0], scores=[0.5], masks=[runs])], [3], [13])
    assert entry == {
        "image_id": 3,
        "category_id": 13,
        "score": 0.5,
        "segmentation": {"size": [4, 4], "counts": "03"},
    }


def test_boxes_are_widths_and_heights_for_evaluation(found):
    assert found([1, 2, 3, 4], scores=[1]).boxes_xywh.tolist() == [[1, 2, 3, 4]]
    assert found().boxes_xywh.shape == (0, 4)
    assert found().boxes_xywh.dtype == np.float64
