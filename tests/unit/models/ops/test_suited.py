"""Which training steps the operators for one CPU core may take."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from lsbench.models.ops.suited import is_suited, loops_if


def test_only_what_its_loops_are_for_is_suited() -> None:
    conv, norm = nn.Conv2d(16, 36, 1, bias=False), nn.BatchNorm2d(36)
    x = torch.randn(2, 16, 5, 5).to(memory_format=torch.channels_last)
    assert is_suited(x, conv, norm)
    assert not is_suited(x.double(), conv, norm)
    assert not is_suited(x.contiguous(), conv, norm)
    assert not is_suited(x, conv, copy.deepcopy(norm).eval())
    assert not is_suited(x, conv, nn.BatchNorm2d(36, affine=False))
    assert not is_suited(x, conv, nn.BatchNorm2d(36, momentum=None))
    assert not is_suited(x, nn.Conv2d(16, 36, 1, dilation=2), norm)
    with torch.no_grad():
        assert not is_suited(x, conv, norm)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not is_suited(x, conv, norm)
    with FlopCounterMode(display=False):
        assert not is_suited(x, conv, norm)
    with loops_if(False), loops_if(False):
        assert not is_suited(x, conv, norm)
    with forward_ad.dual_level():
        assert not is_suited(x, conv, norm)
    transformed = []
    torch.func.grad(lambda t: [transformed.append(is_suited(t, conv, norm)), t.sum()][1])(x)
    assert transformed == [False]
    torch.set_num_threads(2)
    assert not is_suited(x, conv, norm)
    torch.set_num_threads(1)
    hook = conv.register_forward_hook(lambda *_: None)
    assert not is_suited(x, conv, norm)
    hook.remove()
    assert is_suited(x, conv, norm)
