import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lsbench.models.downstream.neck import FeaturePyramid, PyramidPlan, zero_bias

CHANNELS = (3, 4, 5, 6)


def backbone_maps():
    torch.manual_seed(0)
    sizes = ((19, 28), (10, 14), (5, 7), (3, 4))
    return [torch.randn(2, width, *size) for width, size in zip(CHANNELS, sizes, strict=True)]


@pytest.mark.parametrize(
    ("plan", "strides", "sizes"),
    [
        (PyramidPlan(), (8, 16, 32, 64), [(19, 28), (10, 14), (5, 7), (3, 4)]),
        (PyramidPlan(extra=1), (8, 16, 32, 64, 128), [(19, 28), (10, 14), (5, 7), (3, 4), (2, 2)]),
        (PyramidPlan(upsampled=True), (4, 8, 16, 32, 64), [(38, 56), (19, 28), (10, 14), (5, 7), (3, 4)]),
        (PyramidPlan(pooled=True), (8, 16, 32, 64, 128), [(19, 28), (10, 14), (5, 7), (3, 4), (2, 2)]),
        (PyramidPlan(first=1, extra=2), (16, 32, 64, 128, 256), [(10, 14), (5, 7), (3, 4), (2, 2), (1, 1)]),
    ],
)
def test_a_plan_says_which_maps_there_are(plan, strides, sizes):
    assert plan.strides((8, 16, 32, 64)) == strides
    found = FeaturePyramid(CHANNELS, 8, plan)(backbone_maps())
    assert [tuple(one.shape) for one in found] == [(2, 8, *size) for size in sizes]


def test_each_map_knows_the_coarser_ones():
    neck, maps = FeaturePyramid(CHANNELS, 8, PyramidPlan(upsampled=True)), backbone_maps()
    top = neck.lateral_convs[3](maps[3])
    third = neck.lateral_convs[2](maps[2]) + F.interpolate(top, size=(5, 7), mode="nearest")
    second = neck.lateral_convs[1](maps[1]) + F.interpolate(third, size=(10, 14), mode="nearest")
    first = neck.lateral_convs[0](maps[0]) + F.interpolate(second, size=(19, 28), mode="nearest")
    expected = [neck.extra_fpn_convs[0](neck.extra_trans_convs[0](first))]
    expected += [neck.fpn_convs[i](x) for i, x in enumerate((first, second, third, top))]
    for one, other in zip(neck(maps), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_coarser_maps_come_from_the_backbones_last_map():
    neck, maps = FeaturePyramid(CHANNELS, 8, PyramidPlan(first=1, extra=2)), backbone_maps()
    fourth = neck.fpn_convs[3](maps[3])
    *_, found, last = neck(maps)
    torch.testing.assert_close(found, fourth)
    torch.testing.assert_close(last, neck.fpn_convs[4](fourth))


def test_weights_begin_as_the_authors_do():
    neck = FeaturePyramid((64, 64, 64, 64), 64, PyramidPlan(upsampled=True))
    for module in neck.modules():
        if isinstance(module, nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx((2 / (64 * 4)) ** 0.5, rel=0.1)
        elif isinstance(module, nn.Conv2d):
            bound = (6 / (2 * 64 * module.kernel_size[0] ** 2)) ** 0.5
            assert module.weight.abs().max().item() == pytest.approx(bound, rel=0.02)
    assert all(not p.any() for name, p in neck.named_parameters() if name.endswith("bias"))


def test_a_layer_without_bias_is_left_alone():
    layer = nn.Linear(2, 2, bias=False)
    zero_bias(layer)
    assert layer.bias is None
