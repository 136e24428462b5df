"""Fuse a model for evaluation: what training needs apart becomes one layer.

A module that can be replaced in evaluation mode offers ``fused() -> nn.Module``: a convolution and its
normalisation one convolution, parallel depth-wise branches one kernel. Outputs stay the same up to rounding.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, whose parameters, FLOPs and throughputs are those of fused models.
"""

from __future__ import annotations

import copy

from timm.utils.model import reparameterize_model
from torch import nn

from lsbench.models.packed_conv import pack


def fuse(model: nn.Module) -> nn.Module:
    """Return a fused copy of `model` in evaluation mode; `model` is left as it is.

    Whatever a module's ``fused()`` returns takes the module's place as it is: what lies inside is its own
    business. timm's modules of this kind are fused by timm. Convolutions pack their weights when they are
    used. A model that is fused already is copied.
    """
    if getattr(model, "is_fused", False):
        # Some of timm's modules cannot be fused twice.
        return copy.deepcopy(model).eval()
    fused = _replaced(reparameterize_model(model)).eval()
    dtypes = {parameter.dtype for parameter in model.parameters()}
    if len(dtypes) == 1:
        # Some of timm's modules fuse to float32 whatever they were.
        fused.to(dtype=dtypes.pop())
    fused.is_fused = True  # type: ignore[assignment]
    return pack(fused)


def _replaced(module: nn.Module) -> nn.Module:
    replacement = getattr(module, "fused", None)
    if callable(replacement):
        offered: nn.Module = replacement()
        return offered
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module
