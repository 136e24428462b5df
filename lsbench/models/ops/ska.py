"""SKA, the small-kernel aggregation of LSNet, as a PyTorch operator with a hand-written gradient.

Shapes: B batch, C channels, G weight channels, M = C / G channels that share one weight, K*K taps, H, W
plane, L = G * H * W, the planes of all weight channels one after the other.

Every output pixel is the weighted sum of its K x K neighbourhood, zero outside the plane, with weights of its
own: ``y[b, c, h, w] = sum_k weight[b, c % G, k, h, w] * x[b, c, h + dy(k), w + dx(k)]``.

A shift by (dy, dx) is a shift by ``dy * W + dx`` in L. What such a shift fetches from the wrong row or plane
meets a weight that was set to zero beforehand, so that one tap is one fused multiply-add over long contiguous
rows: no padded copy of the input and no K*K-fold unfolding.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3. Channels share weights interleaved (``c % G``), as in the
    authors' code. Half precision is accumulated in float32, where the authors' kernel multiplies in half
    precision.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor


def ska(x_BCHW: Tensor, weight_BGKHW: Tensor) -> Tensor:
    """Return the aggregation of each pixel's neighbourhood with weights of its own.

    Args:
        x_BCHW: Floating-point features, shape (B, C, H, W).
        weight_BGKHW: Weights of the same dtype, shape (B, G, K*K, H, W) with odd K; G divides C. Channel c
            uses weight channel ``c % G``; taps run row by row from the upper left neighbour.

    Returns:
        Contiguous tensor of the shape and dtype of `x_BCHW`.

    Raises:
        ValueError: If shapes do not fit together or K is not odd.
        TypeError: If the dtypes differ or are not floating point.
    """
    # Reordered here, once, so that the gradient need not reorder what was saved for it.
    result: Tensor = _ska(x_BCHW.contiguous(), weight_BGKHW.contiguous())
    return result


@torch.library.custom_op("lsbench::ska", mutates_args=())
def _ska(x: Tensor, weight: Tensor) -> Tensor:
    kernel = _checked_kernel(x, weight)
    x_BML, weight_BKL, _ = _flattened(x, weight, kernel)
    centre = kernel * kernel // 2
    y_BML = x_BML * weight_BKL[:, centre, None]
    for tap in _taps(x, weight.shape[1], kernel):
        y_BML[..., tap.to].addcmul_(x_BML[..., tap.source], weight_BKL[:, tap.number, None, tap.to])
    return y_BML.view(x.shape).to(x.dtype)


@torch.library.custom_op("lsbench::ska_backward", mutates_args=())
def _ska_backward(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    kernel = _checked_kernel(x, weight)
    x_BML, weight_BKL, mask_K1P = _flattened(x, weight, kernel)
    grad_BML = grad.to(x_BML.dtype).contiguous().view(x_BML.shape)
    centre = kernel * kernel // 2
    grad_x_BML = grad_BML * weight_BKL[:, centre, None]
    grad_weight_BKL = torch.zeros_like(weight_BKL)
    _add_products(grad_weight_BKL[:, centre], grad_BML, x_BML)
    for tap in _taps(x, weight.shape[1], kernel):
        grad_to = grad_BML[..., tap.to]
        grad_x_BML[..., tap.source].addcmul_(grad_to, weight_BKL[:, tap.number, None, tap.to])
        _add_products(grad_weight_BKL[:, tap.number, tap.to], grad_to, x_BML[..., tap.source])
    return grad_x_BML.view(x.shape).to(x.dtype), _unflattened(grad_weight_BKL, mask_K1P, weight)


@_ska.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    _checked_kernel(x, weight)
    return x.new_empty(x.shape)


@_ska_backward.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), weight.new_empty(weight.shape)


def _save_inputs(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _both_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    grads: tuple[Tensor, Tensor] = _ska_backward(grad, *ctx.saved_tensors)
    return grads


_ska.register_autograd(_both_gradients, setup_context=_save_inputs)


class _Tap(NamedTuple):
    """One neighbour: its number among the taps, and the ranges of L it is added to and read from."""

    number: int
    to: slice
    source: slice


def _taps(x: Tensor, weight_channels: int, kernel: int) -> Iterator[_Tap]:
    """Yield every tap but the central one that has a neighbour inside the plane."""
    height, width = x.shape[-2:]
    length = weight_channels * height * width
    reach = kernel // 2
    for number in range(kernel * kernel):
        dy, dx = number // kernel - reach, number % kernel - reach
        if (dy, dx) == (0, 0) or abs(dy) >= height or abs(dx) >= width:
            continue
        shift = dy * width + dx
        start, stop = max(0, -shift), length - max(0, shift)
        yield _Tap(number, slice(start, stop), slice(start + shift, stop + shift))


def _flattened(x: Tensor, weight: Tensor, kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return x as (B, M, L), the weights as (B, K*K, L) with zeros at neighbours outside, and that mask."""
    batch, channels, height, width = x.shape
    groups, taps, plane = weight.shape[1], kernel * kernel, height * width
    dtype = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    inside_y, inside_x = (_inside(size, kernel, x.device) for size in (height, width))
    mask_K1P = (inside_y[:, None, :, None] & inside_x[None, :, None, :]).view(taps, 1, plane).to(dtype)
    weight_BKGP = weight.to(dtype).reshape(batch, groups, taps, plane).transpose(1, 2)
    masked_BKGP = torch.mul(weight_BKGP, mask_K1P, out=x.new_empty(weight_BKGP.shape, dtype=dtype))
    x_BML = x.to(dtype).reshape(batch, channels // groups, groups * plane).contiguous()
    return x_BML, masked_BKGP.view(batch, taps, groups * plane), mask_K1P


def _unflattened(grad_weight_BKL: Tensor, mask_K1P: Tensor, weight: Tensor) -> Tensor:
    """Return the weights' gradient in the weights' own order, zero where the neighbour is outside."""
    batch, groups, taps, height, width = weight.shape
    grad_BKGP = grad_weight_BKL.view(batch, taps, groups, height * width).mul_(mask_K1P)
    return grad_BKGP.transpose(1, 2).to(weight.dtype).contiguous().view(weight.shape)


def _inside(size: int, kernel: int, device: torch.device) -> Tensor:
    """Return shape (kernel, size): whether tap t of position p lies inside the axis."""
    taps = torch.arange(kernel, device=device)[:, None] - kernel // 2
    neighbour = torch.arange(size, device=device) + taps
    return (neighbour >= 0) & (neighbour < size)


def _add_products(total_BL: Tensor, a_BML: Tensor, b_BML: Tensor) -> None:
    """Add ``(a * b).sum(1)`` to `total_BL` in place without storing the products."""
    for a_BL, b_BL in zip(a_BML.unbind(1), b_BML.unbind(1), strict=True):
        total_BL.addcmul_(a_BL, b_BL)


def _checked_kernel(x: Tensor, weight: Tensor) -> int:
    """Return K, or raise if the two tensors do not fit together."""
    found = f"got x {tuple(x.shape)} and weight {tuple(weight.shape)}"
    if x.dim() != 4 or weight.dim() != 5:
        raise ValueError(f"ska expects x (B, C, H, W) and weight (B, G, K*K, H, W), {found}")
    if x.shape[0] != weight.shape[0] or x.shape[2:] != weight.shape[3:]:
        raise ValueError(f"ska: batch, height and width must agree, {found}")
    if weight.shape[1] == 0 or x.shape[1] % weight.shape[1]:
        raise ValueError(f"ska: {weight.shape[1]} weight channels do not divide {x.shape[1]} channels")
    if x.dtype != weight.dtype or not x.dtype.is_floating_point:
        raise TypeError(f"ska expects one floating dtype, got x {x.dtype} and weight {weight.dtype}")
    for kernel in range(1, weight.shape[2] + 1, 2):
        if kernel * kernel == weight.shape[2]:
            return kernel
    raise ValueError(f"ska: {weight.shape[2]} taps are not K*K with odd K")
