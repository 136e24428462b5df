import math

import pytest
import torch
from torch import nn

from lsbench.models.downstream.semantic_fpn import SemanticHead, segmentation_loss
from lsbench.models.fusion import fuse
from lsbench.models.macs import count_macs

TASK = "semantic_fpn"


def label_maps(scene):
    return torch.stack([target["label_map"] for target in scene[1]])


@torch.no_grad()
def test_every_stage_is_that_of_the_authors(authors_model, authors_case, check_features):
    model = authors_model(TASK)
    golden, (images, *_) = authors_case(TASK)
    (logits,) = model.decode_head(check_features(model, images, golden))
    expected = golden["logits_stride8_classes_0_12_75_149"]
    torch.testing.assert_close(logits[[0, 12, 75, 149]], expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(logits.mean((1, 2)), golden["logits_mean_150"], rtol=0, atol=1e-4)


def test_labels_are_those_of_the_authors(authors_model, authors_case):
    golden, given = authors_case(TASK)
    (found,) = authors_model(TASK).predict(*given)
    assert found["label_map"].shape == given[2][0]
    assert int((found["label_map"] != golden["labels_at_ori"]).sum()) <= 2


def test_an_image_beside_another_one_is_found_as_alone(authors_model, authors_case):
    _, (images, sizes, originals) = authors_case(TASK)
    model = authors_model(TASK)
    (alone,) = model.predict(images, sizes, originals)
    pair = torch.cat([images.flip(3), images])
    second, first = model.predict(pair, torch.tensor([(160, 224), *sizes]), [(50, 60), *originals])
    assert int((first["label_map"] != alone["label_map"]).sum()) <= 2
    assert second["label_map"].shape == (50, 60)


def test_zero_logits_and_half_of_the_pixels_ignored_give_half_of_the_uniform_loss():
    labels = torch.randint(0, 150, (2, 8, 8))
    labels[:, ::2] = 255
    loss = segmentation_loss(torch.zeros(2, 150, 4, 4), labels)
    assert loss.item() == pytest.approx(0.5 * math.log(150), abs=1e-4)
    assert loss.item() == pytest.approx(2.5053, abs=1e-4)


@pytest.mark.parametrize("stem_stride", [4, 8])
def test_losses_train_every_weight(small_model, scene, stem_stride):
    model = small_model(TASK, stem_stride=stem_stride).train()
    losses = model(scene[0], label_maps(scene))
    assert set(losses) == {"loss_ce"}
    losses["loss_ce"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_the_head_brings_each_map_to_the_finest_ones_size():
    head = SemanticHead(4, 8, (8, 16, 32, 64), 5, 0.1)
    convolutions = [sum(isinstance(layer, nn.Sequential) for layer in one) for one in head.scale_heads]
    doublings = [sum(isinstance(layer, nn.Upsample) for layer in one) for one in head.scale_heads]
    assert (convolutions, doublings) == ([1, 1, 2, 3], [0, 1, 2, 3])
    # Sizes that are no multiples of 64 do not meet by doubling alone.
    maps = [torch.randn(1, 4, *size) for size in ((19, 27), (10, 14), (5, 7), (3, 4))]
    assert head(maps).shape == (1, 5, 19, 27)


def test_the_heads_normalisations_learn_while_the_backbones_do_not(small_model, scene):
    model = small_model(TASK).train()
    model(scene[0], label_maps(scene))
    moved = {name: int(t) for name, t in model.named_buffers() if name.endswith("num_batches_tracked")}
    assert {name.split(".")[0] for name, count in moved.items() if count} == {"decode_head"}
    assert {name.split(".")[0] for name, count in moved.items() if not count} == {"backbone"}


def test_costs_are_those_of_the_head_and_the_resizing(small_model):
    model = small_model(TASK)
    count = count_macs(model, (3, 64, 96))
    pixels = [(64 // stride) * (96 // stride) for stride in (8, 16, 32)] + [2]
    convs = pixels[0] + pixels[1] + (pixels[2] + 4 * pixels[2]) + (pixels[3] + 4 * pixels[3] + 16 * pixels[3])
    assert count.by_module["decode_head.scale_heads.0.0.conv"] == pixels[0] * 9 * 16 * 16
    assert count.by_module["decode_head.conv_seg"] == pixels[0] * 16 * 3
    found = sum(
        macs for name, macs in count.by_module.items() if "scale_heads" in name and name.endswith(".conv")
    )
    assert found == convs * 9 * 16 * 16
    assert model(torch.zeros(1, 3, 64, 96))[0].shape == (1, 3, 64, 96)


@torch.no_grad()
def test_a_fused_head_has_no_normalisation_and_finds_the_same(small_model, scene):
    model = small_model(TASK).eval()
    for norm in model.decode_head.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            for one in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                torch.nn.init.uniform_(one, 0.5, 1.5)
    (expected,), fused = model.outputs(scene[0]), fuse(model)
    (found,) = fused.outputs(scene[0])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.01
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in fused.decode_head.modules())
    assert any(isinstance(one, torch.nn.BatchNorm2d) for one in model.decode_head.modules())


def test_weights_begin_as_the_authors_do():
    head = SemanticHead(64, 64, (8, 16), 150, 0.1)
    assert head.conv_seg.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not head.conv_seg.bias.any()
    conv = head.scale_heads[1][0].conv
    assert conv.bias is None
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.1)
    assert head.dropout.p == 0.1
