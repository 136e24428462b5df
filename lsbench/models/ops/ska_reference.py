"""SKA in plain PyTorch, as its definition: shifted views, weighted and summed.

Supports any device and any floating dtype; autograd differentiates it any number of times. The other backends
are compared with it, and so is the form that exported programs hold (:mod:`lsbench.models.ops.ska_plain`).

Shapes: B batch, C channels, G weight channels, M = C / G channels that share one weight, K*K taps, H, W
plane.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[Tensor, Tensor]
Quartet = tuple[Tensor, Tensor, Tensor, Tensor]


def ska_reference(x_BCHW: Tensor, weight_BGKHW: Tensor) -> Tensor:
    """Return ``y[b, c, h, w] = sum_k weight[b, c % G, k, h, w] * x[b, c, h + dy(k), w + dx(k)]``.

    Half precision is summed in float32 and rounded once.

    Args:
        x_BCHW: Features, shape (B, C, H, W), zero outside the plane.
        weight_BGKHW: Weights of the same dtype, shape (B, G, K*K, H, W).

    Returns:
        Tensor of the shape and dtype of `x_BCHW`.
    """
    batch, channels, height, width = x_BCHW.shape
    groups, taps = weight_BGKHW.shape[1:3]
    kernel = math.isqrt(taps)
    wide = accumulation_dtype(x_BCHW.dtype)
    padded = F.pad(x_BCHW.to(wide), [kernel // 2] * 4)
    x_BMGHW = padded.reshape(batch, channels // groups, groups, *padded.shape[2:])
    weight_B1GKHW = weight_BGKHW.to(wide).unsqueeze(1)
    y_BMGHW = None
    for tap in range(taps):
        dy, dx = divmod(tap, kernel)
        product = x_BMGHW[..., dy : dy + height, dx : dx + width] * weight_B1GKHW[:, :, :, tap]
        y_BMGHW = product if y_BMGHW is None else y_BMGHW + product
    y: Tensor = y_BMGHW.reshape(x_BCHW.shape).to(x_BCHW.dtype)  # type: ignore[union-attr] # K >= 1
    return y


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which a sum of products of `dtype` is kept.

    >>> accumulation_dtype(torch.bfloat16), accumulation_dtype(torch.float64)
    (torch.float32, torch.float64)
    """
    return torch.float64 if dtype == torch.float64 else torch.float32
