import numpy as np
import pytest
import torch
from pycocotools import mask as mask_api

from lsbench.data.detection.samples import open_split
from lsbench.data.detection.truth import to_detections, true_objects
from lsbench.metrics.detection.coco import evaluate_detections


def test_every_object_is_compared_with_also_crowds(coco):
    split = open_split(coco(), "val", with_masks=True, for_training=False)
    truth = true_objects(split)
    assert [len(one.labels) for one in truth] == [4, 2, 0, 1]
    assert truth[1].is_crowd.tolist() == [False, True]
    assert mask_api.area(truth[1].masks[1]) == 600
    assert true_objects(open_split(coco(), "val", with_masks=False, for_training=False))[0].masks is None


@pytest.mark.parametrize("region", ["box", "mask"])
def test_a_perfect_detector_is_perfect_whatever_the_ids(coco, region):
    split = open_split(coco(), "val", with_masks=True, for_training=False)
    truth, found = true_objects(split), []
    for one in truth:
        corners = torch.from_numpy(one.boxes_xywh.copy())
        corners[:, 2:] += corners[:, :2]
        masks = np.stack([mask_api.decode(runs) for runs in one.masks]) if one.masks else None
        found.append(
            to_detections(corners, torch.full((len(corners),), 0.9), torch.from_numpy(one.labels), masks)
        )
    numbers = evaluate_detections(truth, found, 3, region=region).numbers
    assert numbers["ap"] == pytest.approx(1.0)


def test_masks_become_run_lengths():
    masks = torch.zeros((1, 4, 4), dtype=torch.bool)
    masks[0, 1:3] = True
    found = to_detections(torch.tensor([[0, 1, 4, 3]]), torch.tensor([0.5]), torch.tensor([2]), masks)
    assert mask_api.area(found.masks[0]) == 8
    assert to_detections(
        torch.zeros((0, 4)), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    ).boxes.shape == (0, 4)
