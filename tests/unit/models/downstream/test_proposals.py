import math

import pytest
import torch

from lsbench.detection.settings import MaskRCNNSettings
from lsbench.models.downstream.proposals import ProposalNetwork, flatten_cells

STRIDES = (8, 16)
OBJECT = {"boxes": torch.tensor([[8.0, 8, 72, 72]])}
EMPTY = {"boxes": torch.zeros(0, 4)}


def network(**settings):
    torch.manual_seed(0)
    return ProposalNetwork(MaskRCNNSettings(channels=4, **settings), STRIDES)


def maps(batch=1):
    torch.manual_seed(1)
    return [torch.randn(batch, 4, 16, 12), torch.randn(batch, 4, 8, 6)]


def test_what_a_head_says_is_ordered_by_cell_and_anchor():
    x = torch.arange(2 * 6 * 2 * 3.0).view(2, 6, 2, 3)
    flat = flatten_cells(x, per_cell=3)
    assert flat.shape == (2, 18, 2)
    assert flat[1, 3 * (1 * 3 + 2) + 1].tolist() == x[1, 2:4, 1, 2].tolist()
    assert flatten_cells(x.bfloat16(), 3).dtype == torch.float32


def test_proposals_lie_in_the_image_and_the_best_come_first():
    found, losses = network()(maps(2), [(100, 90), (128, 96)])
    assert losses == {}
    for boxes, (height, width) in zip(found, ((100, 90), (128, 96)), strict=True):
        assert boxes.shape[1] == 4
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width
        assert boxes[:, 3].max() <= height
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_training_has_its_own_numbers_of_candidates_and_proposals():
    rpn = network(candidates=10, candidates_in_training=30, proposals=5, proposals_in_training=9)
    counts = [len(rpn.train(mode)(maps(), [(128, 96)])[0][0]) for mode in (False, True)]
    assert counts[0] <= 5 < counts[1] <= 9


def zeroed(**settings):
    rpn = network(**settings)
    for parameter in rpn.parameters():
        torch.nn.init.zeros_(parameter)
    return rpn


def test_losses_are_those_by_hand():
    """All logits are zero, so that every sampled anchor adds ln 2; an image without positives counts one."""
    rpn = zeroed(sampled_anchors=20)
    _, losses = rpn(maps(), [(128, 96)], [OBJECT])
    assert losses["loss_rpn_cls"].item() == pytest.approx(math.log(2), rel=1e-5)
    _, losses = rpn(maps(), [(128, 96)], [EMPTY])
    assert losses["loss_rpn_cls"].item() == pytest.approx(20 * math.log(2) / 21, rel=1e-5)
    assert losses["loss_rpn_bbox"] == 0
    _, losses = rpn(maps(2), [(128, 96)] * 2, [OBJECT, EMPTY])
    assert losses["loss_rpn_cls"].item() == pytest.approx(40 * math.log(2) / 41, rel=1e-5)


def test_the_error_of_boxes_is_absolute_and_over_the_sampled_anchors():
    """One anchor is right, but for its sides: 8 pixels instead of 10."""
    rpn = zeroed(sampled_anchors=10, anchor_scale=1)
    target = {"boxes": torch.tensor([[3.0, 3, 13, 13]])}
    anchors = torch.cat(rpn.anchors.per_level(maps()))
    matched = anchors[rpn.matcher.match(target["boxes"], anchors) >= 0]
    assert matched.tolist() == [[4, 4, 12, 12]]
    _, losses = rpn(maps(), [(128, 96)], [target])
    assert losses["loss_rpn_bbox"].item() == pytest.approx(2 * math.log(10 / 8) / 10, rel=1e-5)


def test_at_most_half_of_the_sampled_anchors_are_positive():
    rpn = zeroed(sampled_anchors=4)
    many = torch.cat(rpn.anchors.per_level(maps()))[200:220]
    kinds = [torch.ones(50, dtype=torch.int64)]
    positive, negative = rpn.sampler(kinds)
    assert (int(positive[0].sum()), int(negative[0].sum())) == (2, 0)
    _, losses = rpn(maps(), [(128, 96)], [{"boxes": many}])
    assert losses["loss_rpn_cls"].item() == pytest.approx(math.log(2), rel=1e-5)


def test_the_padding_of_a_larger_image_beside_it_is_not_sampled(monkeypatch):
    rpn = zeroed()
    seen = []

    def sampler(kinds):
        seen.extend(kinds)
        nothing = [torch.zeros_like(kind) for kind in kinds]
        return nothing, nothing

    monkeypatch.setattr(rpn, "sampler", sampler)
    rpn(maps(2), [(64, 96), (128, 96)], [EMPTY, EMPTY])
    assert (seen[0] >= 0).sum() == 3 * (8 * 12 + 4 * 6)
    assert (seen[1] >= 0).all()


def test_weights_begin_as_the_authors_do():
    head = ProposalNetwork(MaskRCNNSettings(channels=64), STRIDES).head
    for layer in (head.conv[0][0], head.cls_logits, head.bbox_pred):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.2)
        assert not layer.bias.any()
