"""SKA and its tail in plain operators, as exported programs hold them.

What runs such a program keeps maps pixel by pixel in blocks of channels, has no operator that multiplies and
adds in one pass, and copies runs of memory. The channels that share weights are therefore an axis of their
own in front of the pixels: shifts copy whole rows, and products multiply long runs by the same weights.

Shapes: B batch, C channels, G weight channels, M = C / G channels that share one weight, K*K taps, H, W
plane. Sizes may be open.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from lsbench.models.ops.ska_reference import accumulation_dtype


def ska_plain(x_BCHW: Tensor, weight_BGKHW: Tensor) -> Tensor:
    """Return what :func:`~lsbench.models.ops.ska_reference.ska_reference` returns, up to rounding.

    Args:
        x_BCHW: Features, shape (B, C, H, W), zero outside the plane.
        weight_BGKHW: Weights of the same dtype, shape (B, G, K*K, H, W).

    Returns:
        Tensor of the shape and dtype of `x_BCHW`.
    """
    return _aggregate(x_BCHW, weight_BGKHW.flatten(3))


def _aggregate(x_BCHW: Tensor, weight_BGKP: Tensor) -> Tensor:
    """Return SKA of features with weights by pixel P = H * W."""
    batch, channels, height, width = x_BCHW.shape
    groups, taps = weight_BGKP.shape[1:3]
    kernel = math.isqrt(taps)
    radius, row = kernel // 2, width * groups
    wide = accumulation_dtype(x_BCHW.dtype)
    x_BPMG = x_BCHW.to(wide).permute(0, 2, 3, 1).reshape(batch, height * width, channels // groups, groups)
    # A row of pixels with their weight channels is one axis: runtimes cannot take the transposition apart.
    x_BMHR = x_BPMG.transpose(1, 2).reshape(batch, channels // groups, height, row)
    padded = F.pad(x_BMHR, (radius * groups, radius * groups, radius, radius))
    weight_BKHR = weight_BGKP.to(wide).permute(0, 2, 3, 1).reshape(batch, taps, height, row)
    products = []
    for tap, weight_B1HR in enumerate(torch.split(weight_BKHR, 1, dim=1)):
        shift_y, shift_x = divmod(tap, kernel)
        rows, columns = _inner(shift_y, 2 * radius), _inner(shift_x * groups, 2 * radius * groups)
        products.append(padded[:, :, rows, columns] * weight_B1HR)
    # Where sums follow all products in a program, ONNX Runtime adds each product as soon as it is made.
    y_BMHR = reduce(torch.add, products)
    y_BPMG = y_BMHR.reshape(batch, channels // groups, height * width, groups).transpose(1, 2)
    y_BHWC = y_BPMG.reshape(batch, height, width, channels)
    return _copied(y_BHWC.permute(0, 3, 1, 2)).to(x_BCHW.dtype)


def _copied(x: Tensor) -> Tensor:
    """Return a tensor that lies in memory as its shape says, without asking how it lies."""
    return x.clone(memory_format=torch.contiguous_format)


def _inner(start: int, margin: int) -> slice:
    """Return a slice that leaves out `margin` pixels, `start` of them before; its ends are numbers."""
    return slice(start, start - margin if start < margin else None)


def ska_tail_plain(
    x_BCHW: Tensor,
    weight_BDHW: Tensor,
    affine: Sequence[Tensor],
    norm: Sequence[Tensor],
    epsilons: Sequence[float],
    groups: int,
) -> Tensor:
    """Return ``batch_norm(ska(x, group_norm(weight))) + x``, up to rounding.

    The shift of the group norm is the same at every pixel: what it adds is a depth-wise convolution of `x`,
    which takes in the residual. The batch norm's scale is a depth-wise convolution too, so that runtimes add
    the two where they keep the maps.

    Args:
        x_BCHW: Features, shape (B, C, H, W).
        weight_BDHW: Raw weights of the same dtype, shape (B, G * K*K, H, W).
        affine: Weight and bias of the group norm, shape (G * K*K,) each.
        norm: Weight, bias, running mean and running variance of the batch norm, shape (C,) each.
        epsilons: Epsilon of the group norm and of the batch norm.
        groups: G, of the weights and of the group norm.
    """
    channels, taps = x_BCHW.shape[1], weight_BDHW.shape[1] // groups
    kernel = math.isqrt(taps)
    scale = norm[0] * (norm[3] + epsilons[1]).rsqrt()
    shift = norm[1] - norm[2] * scale
    fixed = affine[1].reshape(groups, taps).repeat(channels // groups, 1) * scale[:, None]
    centre = torch.arange(taps, device=scale.device) == taps // 2
    kernels = (fixed + centre).reshape(channels, 1, kernel, kernel)
    by_group_BGKHW = torch.unflatten(weight_BDHW, 1, (groups, taps))
    weight_BGKP = F.instance_norm(by_group_BGKHW.flatten(3), eps=epsilons[0])
    y = _aggregate(x_BCHW, weight_BGKP * affine[0].reshape(groups, taps, 1))
    scaled = F.conv2d(y, scale.reshape(-1, 1, 1, 1), shift, groups=channels)
    return scaled + F.conv2d(x_BCHW, kernels, padding=kernel // 2, groups=channels)
