"""SKA and the layers around it in evaluation, in one pass: group norm of the weights, batch norm, residual.

An LS convolution normalises its predicted weights, aggregates, normalises the sum and adds its input. In
evaluation one pass reads features and raw weights once and writes the result once; separate steps move more
than three times as much memory.

Shapes: B batch, C channels, G weight channels, K*K taps, D = G * K*K, H, W plane.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3. The authors' code does the four steps one by one.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import register_decomposition
from torch.jit import is_tracing  # type: ignore[attr-defined]
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from lsbench.models.ops import ska_cpu
from lsbench.models.ops.inductor import stays_whole
from lsbench.models.ops.ska import autocast, checked_kernel, chosen_backend, dense, needs_plain_form, ska
from lsbench.models.ops.ska_plain import ska_tail_plain
from lsbench.models.ops.ska_reference import Pair, Quartet
from lsbench.models.tracing import one_node


@one_node
def ska_tail(
    x_BCHW: Tensor,
    weight_BDHW: Tensor,
    *,
    groups: int,
    affine: Sequence[Tensor],
    norm: Sequence[Tensor],
    epsilons: Sequence[float],
) -> Tensor:
    """Return ``batch_norm(ska(x, group_norm(weight))) + x`` in evaluation.

    On CPUs and CUDA devices it is one operator, ``lsbench::ska_tail``. If gradients are needed, on other
    devices, with the reference backend, for tracers and transforms, the four separate operators are called.

    Args:
        x_BCHW: Floating-point features, shape (B, C, H, W).
        weight_BDHW: Raw weights of the same dtype, shape (B, G * K*K, H, W).
        groups: G, of the weights and of the group norm.
        affine: Weight and bias of the group norm, shape (D,) each.
        norm: Weight, bias, running mean and running variance of the batch norm, shape (C,) each.
        epsilons: Epsilon of the group norm and of the batch norm.

    Returns:
        Tensor of the shape, dtype and memory format of `x_BCHW`.

    Raises:
        ValueError: If shapes do not fit together.
        TypeError: If the dtypes differ or are not floating point.
    """
    tensors = (x_BCHW, weight_BDHW, *affine, *norm)
    wants_grad = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    is_traced = is_tracing()  # type: ignore[no-untyped-call]
    if wants_grad or is_traced or needs_plain_form() or chosen_backend(None, x_BCHW.device) == "reference":
        return _composed(x_BCHW, weight_BDHW, affine, norm, epsilons, groups)
    x_BCHW, weight_BDHW = autocast(x_BCHW, weight_BDHW)
    result: Tensor = _ska_tail(x_BCHW, weight_BDHW, list(affine), list(norm), list(epsilons), groups)
    return result


def _composed(
    x: Tensor,
    weight: Tensor,
    affine: Sequence[Tensor],
    norm: Sequence[Tensor],
    epsilons: Sequence[float],
    groups: int,
) -> Tensor:
    weight = F.group_norm(weight, groups, affine[0], affine[1], epsilons[0])
    y = ska(x, _by_group(weight, groups))
    return F.batch_norm(y, norm[2], norm[3], norm[0], norm[1], training=False, eps=epsilons[1]) + x


@torch.library.custom_op("lsbench::ska_tail", mutates_args=(), device_types="cpu")
def _ska_tail(
    x: Tensor, weight: Tensor, affine: list[Tensor], norm: list[Tensor], epsilons: list[float], groups: int
) -> Tensor:
    return _in_one_layout(ska_cpu.tail, x, weight, affine, norm, epsilons, groups)


@_ska_tail.register_kernel("cuda")
def _(
    x: Tensor, weight: Tensor, affine: list[Tensor], norm: list[Tensor], epsilons: list[float], groups: int
) -> Tensor:
    from lsbench.models.ops import ska_triton

    return _in_one_layout(ska_triton.tail, x, weight, affine, norm, epsilons, groups)


def _in_one_layout(
    tail: Callable[[Tensor, Tensor, Pair, Quartet, tuple[float, float], int], Tensor],
    x: Tensor,
    weight: Tensor,
    affine: list[Tensor],
    norm: list[Tensor],
    epsilons: list[float],
    groups: int,
) -> Tensor:
    """Run the loops of a device on features and weights of the same memory format."""
    _check(x, weight, groups)
    x = dense(x)
    format_ = torch.contiguous_format if x.is_contiguous() else torch.channels_last
    weight = weight.contiguous(memory_format=format_)
    pair, quartet = (affine[0], affine[1]), (norm[0], norm[1], norm[2], norm[3])
    return tail(x, weight, pair, quartet, (epsilons[0], epsilons[1]), groups)


@_ska_tail.register_fake
def _(
    x: Tensor, weight: Tensor, affine: list[Tensor], norm: list[Tensor], epsilons: list[float], groups: int
) -> Tensor:
    stays_whole(torch.ops.lsbench.ska_tail.default)
    _check(x, weight, groups)
    return torch.empty_like(dense(x))


@register_flop_formula(torch.ops.lsbench.ska_tail)
def _count_flops(x_shape: Any, weight_shape: Any, *arguments: Any, **_: Any) -> int:
    """Return 2 FLOPs per product of SKA; torch's counter ignores normalisations."""
    return 2 * int(math.prod(x_shape)) * int(weight_shape[1] // arguments[3])


register_decomposition(torch.ops.lsbench.ska_tail.default)(ska_tail_plain)


def _by_group(weight: Tensor, groups: int) -> Tensor:
    return weight.reshape(weight.shape[0], groups, -1, *weight.shape[2:])


def _check(x: Tensor, weight: Tensor, groups: int) -> None:
    if weight.dim() != 4 or groups < 1 or weight.shape[1] % groups:
        raise ValueError(
            f"ska_tail expects weight (B, G * K*K, H, W) with G = {groups}, got {tuple(weight.shape)}"
        )
    checked_kernel(x, _by_group(weight, groups))
