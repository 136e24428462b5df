import math

import pytest
import torch

from lsbench.detection.settings import MaskRCNNSettings
from lsbench.models.downstream.regions import BoxPredictor, RegionHeads

STRIDES = (4, 8, 16, 32, 64)
PROPOSALS = torch.tensor([[10.0, 10, 60, 60], [60, 60, 100, 100], [0, 0, 20, 20]])


def target(**changes):
    masks = torch.zeros(1, 128, 128, dtype=torch.bool)
    masks[0, 10:60, 10:50] = True
    found = {"boxes": torch.tensor([[10.0, 10, 50, 60]]), "labels": torch.tensor([2]), "masks": masks}
    return {**found, **changes}


def heads(**settings):
    torch.manual_seed(0)
    sizes = {"channels": 4, "box_channels": 8, "mask_convs": 1, **settings}
    return RegionHeads(MaskRCNNSettings(**sizes), STRIDES, 3)


def zeroed(**settings):
    module = heads(**settings)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    return module


def maps(batch=1):
    return [torch.ones(batch, 4, 128 // stride, 128 // stride) for stride in STRIDES]


def test_losses_are_those_by_hand():
    """Of four proposals, the object's own box and the first match; all logits and deltas are zero."""
    losses = zeroed()(maps(), [PROPOSALS], (128, 128), [target()])
    assert losses["loss_cls"].item() == pytest.approx(math.log(4), rel=1e-5)
    # From (10, 10, 60, 60) to (10, 10, 50, 60): tenths of the width to the left, fifths of the log of sides.
    expected = (10 * 5 / 50 + 5 * math.log(50 / 40)) / 4
    assert losses["loss_bbox"].item() == pytest.approx(expected, rel=1e-5)
    assert losses["loss_mask"].item() == pytest.approx(math.log(2), rel=1e-5)


def test_the_mask_of_the_objects_class_is_trained():
    module = zeroed()
    module.mask_predictor.mask_fcn_logits.bias.data[:] = torch.tensor([9.0, 9.0, -1.0])
    losses = module(maps(), [PROPOSALS[:0]], (128, 128), [target()])
    # Its own box is all mask, so that each pixel adds ln(1 + e).
    assert losses["loss_mask"].item() == pytest.approx(math.log(1 + math.e), rel=1e-4)


def test_objects_join_their_proposals_even_if_they_are_none():
    losses = zeroed()(maps(), [torch.zeros(0, 4)], (128, 128), [target()])
    assert losses["loss_bbox"] == 0
    assert losses["loss_cls"].item() == pytest.approx(math.log(4), rel=1e-5)


def test_an_image_without_objects_teaches_background():
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    empty = target(**nothing, masks=torch.zeros(0, 128, 128))
    losses = zeroed()(maps(), [PROPOSALS], (128, 128), [empty])
    assert losses["loss_cls"].item() == pytest.approx(math.log(4), rel=1e-5)
    assert losses["loss_bbox"] == losses["loss_mask"] == 0


def test_a_quarter_of_the_sampled_proposals_is_positive_at_most():
    module = heads(sampled_proposals=8)
    near = torch.tensor([[10.0, 10, 50, 60]]).repeat(20, 1)
    far = torch.tensor([[90.0, 90, 120, 120]]).repeat(20, 1)
    sample = module._sample(torch.cat([near, far]), target())
    assert sorted(sample.labels.tolist()) == [2, 2, *[3] * 6]


def test_equal_boxes_of_two_classes_keep_their_own_labels():
    pair = target(
        boxes=torch.tensor([[10.0, 10, 50, 60]] * 2),
        labels=torch.tensor([1, 2]),
        masks=torch.ones(2, 128, 128),
    )
    sample = heads()._sample(torch.zeros(0, 4), pair)
    assert sorted(sample.labels.tolist()) == [1, 2]


def test_detections_are_boxes_of_the_file():
    """Every proposal is of the second class, at scale 2, and its box becomes no other."""
    module = zeroed(score_threshold=0.9)
    module.box_predictor.cls_score.bias.data[1] = 9
    module.mask_predictor.mask_fcn_logits.bias.data[1] = 9
    scale = torch.tensor([2.0, 1.0, 2.0, 1.0])
    (found,) = module.detect(maps(), [PROPOSALS], [(110, 90)], [scale], [(110, 45)])
    # The image ends at x = 90.
    assert sorted(found["boxes"].tolist()) == [[0, 0, 10, 20], [5, 10, 30, 60], [30, 60, 45, 100]]
    assert found["labels"].tolist() == [1, 1, 1]
    for box, mask in zip(found["boxes"].int().tolist(), found["masks"], strict=True):
        expected = torch.zeros(110, 45, dtype=torch.bool)
        expected[box[1] : box[3], box[0] : box[2]] = True
        assert torch.equal(mask, expected)


def test_only_so_many_detections_are_kept():
    module = zeroed(score_threshold=0.0, detections=5)
    (found,) = module.detect(maps(), [PROPOSALS], [(128, 128)], [torch.ones(4)], [(128, 128)])
    assert len(found["boxes"]) == len(found["masks"]) == 5


def test_weights_begin_as_the_authors_do():
    predictor = BoxPredictor(500, 80)
    assert predictor.cls_score.weight.shape == (81, 500)
    assert predictor.bbox_pred.weight.shape == (320, 500)
    assert predictor.cls_score.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert predictor.bbox_pred.weight.std().item() == pytest.approx(0.001, rel=0.05)
    module = heads(channels=16, box_channels=64)
    bound = (6 / (16 * 49 + 64)) ** 0.5
    assert module.box_head.fc6.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert all(not p.any() for name, p in module.named_parameters() if name.endswith("bias"))
