import math

import pytest
import torch

from lsbench.detection.settings import RetinaNetSettings
from lsbench.models.macs import count_macs

TASK = "retinanet"


@torch.no_grad()
def test_every_stage_is_that_of_the_authors(authors_model, authors_case, check_features):
    model = authors_model(TASK)
    golden, (images, *_) = authors_case(TASK)
    maps = check_features(model, images, golden)
    logits, deltas = model.predict_anchors(maps)
    lengths = [9 * one.shape[2] * one.shape[3] for one in maps]
    for index, (logit, delta) in enumerate(
        zip(logits[0].split(lengths), deltas[0].split(lengths), strict=True)
    ):
        height, width = maps[index].shape[2:]
        of_cells = logit.view(height, width, 9, 80).permute(2, 3, 0, 1)
        expected = golden[f"level{index}/cls_classes_0_17_79"]
        tolerance = 5e-3 if expected.dtype == torch.float16 else 1e-4
        torch.testing.assert_close(of_cells[:, [0, 17, 79]], expected.float(), rtol=0, atol=tolerance)
        expected = golden[f"level{index}/cls_mean_720"]
        torch.testing.assert_close(of_cells.mean((2, 3)).flatten(), expected, rtol=0, atol=1e-4)
        expected = golden[f"level{index}/deltas"].view(9, 4, height, width)
        tolerance = 1e-3 if expected.dtype == torch.float16 else 1e-4
        found = delta.view(height, width, 9, 4).permute(2, 3, 0, 1)
        torch.testing.assert_close(found, expected.float(), rtol=0, atol=tolerance)


def test_detections_are_those_of_the_authors(authors_model, authors_case, pair_up):
    golden, given = authors_case(TASK)
    (found,) = authors_model(TASK).predict(*given)
    pair_up(found, golden)
    assert set(found) == {"boxes", "scores", "labels"}


def test_an_image_beside_another_one_is_found_as_alone(authors_model, authors_case):
    _, (images, sizes, originals) = authors_case(TASK)
    model = authors_model(TASK)
    (alone,) = model.predict(images, sizes, originals)
    first, second = model.predict(
        torch.cat([images, images.flip(3)]), [*sizes, (160, 224)], [*originals, (320, 448)]
    )
    torch.testing.assert_close(first["boxes"], alone["boxes"], rtol=0, atol=0.01)
    assert second["boxes"][:, 1::2].max() <= 320


def test_losses_train_every_weight_of_small_models(small_model, scene):
    for stem_stride, strides in ((8, (8, 16, 32, 64)), (4, (8, 16, 32))):
        model = small_model(TASK, stem_stride=stem_stride).train()
        assert model.strides == strides
        assert model.anchors.per_cell == 9
        losses = model(*scene)
        assert set(losses) == {"loss_cls", "loss_bbox"}
        sum(losses.values()).backward()
        # From stride 4 on, the finest map's own layers are not there at all.
        assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_usual_pyramid_reaches_stride_128(small_model):
    for stem_stride in (4, 8):
        model = small_model(TASK, stem_stride=stem_stride, settings=RetinaNetSettings(channels=8))
        assert model.strides == (8, 16, 32, 64, 128)
        maps = model.pyramid(torch.zeros(1, 3, 160, 224))
        assert [tuple(one.shape[2:]) for one in maps] == [(20, 28), (10, 14), (5, 7), (3, 4), (2, 2)]


def test_losses_are_those_by_hand(small_model, scene):
    """All logits and deltas are zero, so that every anchor adds the same."""
    images, (full, empty) = scene
    model = small_model(TASK).eval()
    torch.nn.init.zeros_(model.head.classification_head.cls_logits.bias)
    for layer in (model.head.classification_head.cls_logits, model.head.regression_head.bbox_reg):
        torch.nn.init.zeros_(layer.weight)
    maps = model.pyramid(images)
    anchors = torch.cat(model.anchors.per_level(maps))
    usable = model.anchors.of_image(maps, full["image_size"])
    matches = torch.full((len(anchors),), -2)
    matches[usable] = model.matcher.match(full["boxes"], anchors[usable])
    positive, background = int((matches >= 0).sum()), int((matches == -1).sum())
    assert positive > 2
    each, other = 0.25 * 0.25 * math.log(2), 0.75 * 0.25 * math.log(2)
    # Three classes: a positive anchor is negative for two of them. The empty image counts one positive.
    classes = positive * (each + 2 * other) + 3 * other * (background + len(anchors))
    losses = model(images, [full, empty])
    assert losses["loss_cls"].item() == pytest.approx(classes / (positive + 1), rel=1e-5)
    boxes, own = full["boxes"][matches[matches >= 0]], anchors[matches >= 0]
    sides, own_sides = boxes[:, 2:] - boxes[:, :2], own[:, 2:] - own[:, :2]
    moves = ((boxes[:, 2:] + boxes[:, :2]) - (own[:, 2:] + own[:, :2])) / 2 / own_sides
    expected = (moves.abs().sum() + (sides / own_sides).log().abs().sum()) / (positive + 1)
    torch.testing.assert_close(losses["loss_bbox"], expected)


def test_logits_begin_at_one_in_a_hundred(small_model):
    bias = small_model(TASK).head.classification_head.cls_logits.bias
    torch.testing.assert_close(bias.sigmoid(), torch.full_like(bias, 0.01))


@pytest.mark.parametrize("convs", [0, 2, 4, 6])
def test_towers_have_as_many_convolutions_as_asked_for(small_model, convs):
    model = small_model(TASK, settings=RetinaNetSettings(channels=8, convs=convs))
    for part in (model.head.classification_head, model.head.regression_head):
        assert len(part.conv) == convs
        for block in part.conv:
            assert block[0].weight.std().item() == pytest.approx(0.01, rel=0.3)
    assert model.predict(torch.zeros(1, 3, 64, 64), [(64, 64)], [(64, 64)])[0]["boxes"].shape == (0, 4)


def test_costs_are_those_of_all_anchors(small_model):
    model = small_model(TASK)
    count = count_macs(model, (3, 64, 96))
    cells = sum((64 // stride) * (96 // stride) for stride in (8, 16, 32)) + 1 * 2
    assert count.by_module["head"] == cells * 9 * 16 * (2 * 16 + 9 * 3 + 9 * 4)
    logits, deltas = model(torch.zeros(2, 3, 64, 96))
    assert (logits.shape, deltas.shape) == ((2, 9 * cells, 3), (2, 9 * cells, 4))
