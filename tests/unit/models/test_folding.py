"""Batch normalisations folded into convolutions, against torch's own folding of modules in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lsbench.models.folding import folded


def create(*, bias: bool, affine: bool, groups: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, 2, 1, groups=groups, bias=bias)
    norm = nn.BatchNorm2d(8, affine=affine, eps=1e-3)
    for tensor in (*norm.parameters(), norm.running_mean, norm.running_var):
        nn.init.uniform_(tensor, 0.5, 2)
    return conv, norm


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("groups", [1, 8])
def test_it_has_torchs_bits(memory_format, dtype, bias, affine, groups):
    conv, norm = create(bias=bias, affine=affine, groups=groups)
    conv, norm = conv.to(dtype=dtype, memory_format=memory_format), norm.to(dtype=dtype)
    before = [tensor.clone() for tensor in (*conv.state_dict().values(), *norm.state_dict().values())]
    exact = fuse_conv_bn_eval(copy.deepcopy(conv).double().eval(), copy.deepcopy(norm).double().eval())
    expected, found = exact.to(dtype), folded(conv, norm)
    assert torch.equal(found.weight, expected.weight)
    assert torch.equal(found.bias, expected.bias)
    assert found.weight.stride() == expected.weight.stride()
    assert (found.weight.requires_grad, found.bias.requires_grad) == (True, bias)
    assert not found.training
    assert conv.training
    after = (*conv.state_dict().values(), *norm.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert found.weight.data_ptr() != conv.weight.data_ptr()


def test_it_keeps_what_else_a_convolution_has():
    conv, norm = create(bias=False, affine=True, groups=1)
    conv.weight.requires_grad_(requires_grad=False)
    conv.note = ["own"]
    found = folded(conv, norm)
    assert found.note == ["own"]
    assert found.note is not conv.note
    assert not found.weight.requires_grad
    x = torch.randn(2, 8, 7, 7)
    torch.testing.assert_close(found(x), norm.eval()(conv(x)))


def test_it_can_stay_in_float64():
    conv, norm = create(bias=False, affine=True, groups=1)
    exact = folded(conv, norm, dtype=torch.float64)
    assert exact.weight.dtype is exact.bias.dtype is torch.float64
    assert torch.equal(exact.weight.float(), folded(conv, norm).weight)


def test_a_norm_without_running_statistics_is_refused():
    with pytest.raises(ValueError, match="without running statistics"):
        folded(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, track_running_stats=False))
