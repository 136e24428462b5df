"""Two ranks with half a batch each do what plain batch normalisation does with the whole batch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from timm.layers import BatchNormAct2d, SplitBatchNorm2d
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.engine.batch_norm import AllReduceBatchNorm, synchronise
from lsbench.models.blocks import BNLinear, ConvNorm

#: The layers and batches of all cases; ranks and tests build the same.
CASES = """
from timm.layers import BatchNormAct2d
from torch import nn
def cases():
    torch.manual_seed(0)
    made = {
        "2d": (nn.BatchNorm2d(3), torch.randn(8, 3, 5, 4) * 2 + 5),
        "1d": (nn.BatchNorm1d(6), torch.randn(8, 6)),
        "sequence": (nn.BatchNorm1d(6), torch.randn(8, 6, 7)),
        "no affine": (nn.BatchNorm2d(3, affine=False), torch.randn(8, 3, 2, 2)),
        "cumulative": (nn.BatchNorm2d(3, momentum=None), torch.randn(8, 3, 2, 2)),
        "untracked": (nn.BatchNorm2d(3, track_running_stats=False), torch.randn(8, 3, 2, 2)),
        "activation": (BatchNormAct2d(3, act_layer=nn.SiLU), torch.randn(8, 3, 4, 4)),
        "channels last": (nn.BatchNorm2d(3), torch.randn(8, 3, 4, 4).to(memory_format=torch.channels_last)),
        "float64": (nn.BatchNorm2d(3).double(), torch.randn(8, 3, 4, 4).double() + 100),
    }
    for layer, x in made.values():
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, 0.5, 1.5)
    return made
def passes(layer, x, weights):
    # Two training passes, the second one's gradients, then evaluation.
    layer(x)
    x = x.clone().requires_grad_()
    out = layer(x)
    (out * weights).sum().backward()
    grads = {name: p.grad for name, p in layer.named_parameters()}
    buffers = {name: b.clone() for name, b in layer.named_buffers()}
    evaluated = layer.eval()(x).detach()
    return {"out": out.detach(), "grad": x.grad, "grads": grads, "buffers": buffers, "eval": evaluated}
def weights_like(x):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x.dtype)
"""
UNEVEN = 5  # images of the first rank; the second has the other 3
RANK = f"""
{CASES}
from lsbench.engine.batch_norm import synchronise
mine = slice(0, {UNEVEN}) if world.rank == 0 else slice({UNEVEN}, 8)
for name, (layer, x) in cases().items():
    result[name] = passes(synchronise(layer, on_gpu=False), x[mine], weights_like(x)[mine])
"""


def test_it_equals_plain_batch_norm_on_the_joined_batch(run_ranks: Callable[..., Any]) -> None:
    scope: dict[str, Any] = {"torch": torch}
    exec(CASES, scope)
    ranks = run_ranks(RANK)
    for name, (layer, x) in scope["cases"]().items():
        plain = scope["passes"](layer, x, scope["weights_like"](x))
        first, second = (rank[name] for rank in ranks)
        for what in ("out", "grad", "eval"):
            joined = torch.cat([first[what], second[what]])
            torch.testing.assert_close(
                joined, plain[what], msg=lambda text, n=name, w=what: f"{n} {w}: {text}"
            )
        for parameter, grad in plain["grads"].items():
            torch.testing.assert_close(first["grads"][parameter] + second["grads"][parameter], grad)
        for buffer, value in plain["buffers"].items():
            torch.testing.assert_close(first["buffers"][buffer], value)
            assert torch.equal(first["buffers"][buffer], second["buffers"][buffer])


def test_the_model_keeps_its_parameters_names_and_evaluation() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        ConvNorm(3, 4), BatchNormAct2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), BNLinear(4, 2)
    )
    model[0].bn.running_mean.fill_(0.25)
    before, x = copy.deepcopy(model).eval(), torch.randn(2, 3, 4, 4)
    parameters = dict(model.named_parameters())
    after = synchronise(model, on_gpu=False).eval()
    assert after is model
    assert sum(isinstance(layer, AllReduceBatchNorm) for layer in after.modules()) == 3
    assert all(parameter is parameters[name] for name, parameter in after.named_parameters())
    assert list(after.state_dict()) == list(before.state_dict())
    assert torch.equal(after(x), before(x))
    torch.testing.assert_close(after[0].fused()(x), before[0](x))


def test_on_the_gpu_it_is_torchs_own() -> None:
    model = synchronise(nn.Sequential(nn.BatchNorm2d(3), BatchNormAct2d(3)), on_gpu=True)
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in model)
    assert model[1].act is not None


@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_layer_with_a_forward_pass_of_its_own_is_refused_by_name(on_gpu: bool) -> None:
    model = nn.Sequential(nn.ReLU(), SplitBatchNorm2d(4))
    with pytest.raises(ConfigError, match=r"^1: SplitBatchNorm2d cannot be synchronised.*num_ranks: 1"):
        synchronise(model, on_gpu=on_gpu)


def test_a_vector_is_no_batch() -> None:
    with pytest.raises(ValueError, match=r"\(B, C, \*\)"):
        AllReduceBatchNorm(nn.BatchNorm1d(3))(torch.zeros(3))
