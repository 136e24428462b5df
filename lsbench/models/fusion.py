"""Fuse a model for evaluation: layers that only training needs separately become one.

A module that can be replaced in evaluation mode offers ``fused() -> nn.Module``: a convolution and its
normalisation become one convolution, parallel depth-wise branches one kernel. Outputs are equal up to
rounding.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, whose parameters, FLOPs and throughputs are those of fused models.
"""

from __future__ import annotations

import copy

from timm.utils.model import reparameterize_model
from torch import nn


def fuse(model: nn.Module) -> nn.Module:
    """Return a fused copy of `model` in evaluation mode; `model` is not changed.

    The result of a module's ``fused()`` replaces the module as it is, without fusing inside it. timm's
    modules of this kind are fused by timm. A fused model is only copied.
    """
    if getattr(model, "is_fused", False):
        # Some of timm's modules cannot be fused twice.
        return copy.deepcopy(model).eval()
    fused = _replaced(reparameterize_model(model)).eval()
    dtypes = {parameter.dtype for parameter in model.parameters()}
    if len(dtypes) == 1:
        # Some of timm's modules return float32 from any dtype.
        fused.to(dtype=dtypes.pop())
    fused.is_fused = True  # type: ignore[assignment]
    return fused


def _replaced(module: nn.Module) -> nn.Module:
    replacement = getattr(module, "fused", None)
    if callable(replacement):
        offered: nn.Module = replacement()
        return offered
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module
