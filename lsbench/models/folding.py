"""A batch normalisation folded into the convolution before it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


@torch.no_grad()
def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, *, dtype: torch.dtype | None = None) -> nn.Conv2d:
    """Return the convolution with bias that equals ``norm(conv(x))`` in evaluation mode, folded in float64.

    Both are left as they are; what else the convolution has is copied.

    Args:
        conv: With or without bias.
        norm: Has running statistics.
        dtype: Of the result; None: that of the convolution.

    Raises:
        ValueError: If the normalisation keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch normalisation without running statistics cannot be folded")
    weight, bias = fuse_conv_bn_weights(
        conv.weight.double(),
        _exact(conv.bias),
        norm.running_mean.double(),
        norm.running_var.double(),
        norm.eps,
        _exact(norm.weight),
        _exact(norm.bias),
    )
    dtype = dtype or conv.weight.dtype
    result = copy.deepcopy(conv)
    result.weight = nn.Parameter(weight.to(dtype), conv.weight.requires_grad)
    result.bias = nn.Parameter(bias.to(dtype), conv.bias is not None and conv.bias.requires_grad)
    return result.eval()


def _exact(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.double()
