"""Fuse a model for evaluation: layers that only training needs separately become one.

A module that can be replaced in evaluation mode offers ``fused() -> nn.Module``: a convolution and its
normalisation become one convolution, parallel depth-wise branches one kernel. timm's modules have their own
ways, and what both leave is folded pair by pair (:mod:`lsbench.models.conv_norm_pairs`). Outputs are equal up
to rounding.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, whose parameters, FLOPs and throughputs are those of fused models.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import cast

from timm.layers.norm_act import BatchNormAct2d
from timm.utils.model import reparameterize_model
from torch import nn

from lsbench.models.conv_norm_pairs import find_pairs, is_batch_norm, is_patched
from lsbench.models.folding import folded


def fuse(model: nn.Module) -> nn.Module:
    """Return a fused copy of `model` in evaluation mode; `model` is not changed.

    The result of a module's ``fused()`` replaces the module as it is, without fusing inside it. timm's
    modules of this kind are fused by timm. Every other batch normalisation that alone sees the output of a
    convolution is folded into it. A fused model is only copied.
    """
    if getattr(model, "is_fused", False):
        # Some of timm's modules cannot be fused twice.
        return copy.deepcopy(model).eval()
    closed: list[str] = []
    # Some of timm's modules are fused in evaluation mode only.
    fused = _replaced(reparameterize_model(copy.deepcopy(model).eval(), inplace=True), "", closed).eval()
    pairs = find_pairs(fused, closed)
    for conv, norm in pairs.alone.items():
        _fold(fused, conv, norm)
    dtypes = {parameter.dtype for parameter in model.parameters()}
    if len(dtypes) == 1:
        # Some of timm's modules return float32 from any dtype.
        fused.to(dtype=dtypes.pop())
    fused.is_fused = True  # type: ignore[assignment]
    if pairs.alone or pairs.other:
        fused.unfused_norms = sum(map(is_batch_norm, fused.modules()))  # type: ignore[assignment]
    return fused


def unfused_norms(fused: nn.Module) -> int | None:
    """Return the number of batch normalisations left in a fused model, if pairs were folded or left.

    None: what the model's own code offers fuses every convolution with its normalisation.
    """
    left: int | None = getattr(fused, "unfused_norms", None)
    return left


def _replaced(module: nn.Module, name: str, closed: list[str]) -> nn.Module:
    """Return what a module offers, or the module with what those in it offer; names go to `closed`."""
    replacement = getattr(module, "fused", None)
    # What offers it knows nothing of a routine that one of its modules has instead of its class's.
    if callable(replacement) and not any(map(is_patched, module.modules())):
        closed.append(name)
        offered: nn.Module = replacement()
        return offered
    for child_name, child in module.named_children():
        inner = f"{name}.{child_name}" if name else child_name
        setattr(module, child_name, _replaced(child, inner, closed))
    return module


def _fold(model: nn.Module, conv_name: str, norm_name: str) -> None:
    """Fold a batch normalisation into the convolution before it, in float64; its activation stays."""
    conv = cast(nn.Conv2d, model.get_submodule(conv_name))
    norm = cast(nn.BatchNorm2d, model.get_submodule(norm_name))
    made = folded(conv, norm)
    rest: nn.Module = nn.Identity()
    if isinstance(norm, BatchNormAct2d):
        rest = norm.act if isinstance(norm.drop, nn.Identity) else nn.Sequential(norm.drop, norm.act)
    _replace(model, conv, made)
    _replace(model, norm, rest)


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent, name in list(_places(model, old)):
        setattr(parent, name, new)


def _places(model: nn.Module, wanted: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yield every module that holds `wanted`, and its name there."""
    for module in model.modules():
        for name, child in module._modules.items():
            if child is wanted:
                yield module, name
