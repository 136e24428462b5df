"""Layers of a training step on one CPU core, each one operator forward and one backward.

A small model's step is mostly dispatch: a convolution and its batch norm are two operators forward and two
backward, each with checks, reorders of weights and passes over memory of its own. Here a convolution without
bias, its batch normalisation, and the ReLU or the sum that follows are one. With the channels of a pixel
together (channels_last), a point-wise convolution is a matrix product of the map as it lies in memory.

It is for float32 on one thread; everywhere else torch's operators are used, see
:mod:`lsbench.models.ops.suited`.

Shapes: B images, C channels, H, W plane, K kernel size, R = B * H * W rows.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lsbench.models.ops.eager import is_implied
from lsbench.models.ops.suited import VECTOR, is_map, is_plain, is_suited

#: Number of products of an output channel and image up to which tables of them are made, and kept, by kind.
MOST_TERMS = {"pointwise": float("inf"), "depthwise": 2**16, "dense": 2**18}


def can_join(
    x_BCHW: Tensor, conv: nn.Module | None, norm: nn.Module, residual_BCHW: Tensor | None = None
) -> bool:
    """Return whether ``norm(conv(x)) + residual`` in training may be one operator.

    Its loops take memory by address, so that all is known to lie there as they read it. What torch refuses,
    such as the statistics of a single pixel, is left to torch, and large maps, which are no faster here.

    Args:
        x_BCHW: Features.
        conv: What should be a convolution; None: there is none.
        norm: What should be its batch normalisation.
        residual_BCHW: What is added; None: nothing.
    """
    if type(norm) is not nn.BatchNorm2d or not is_suited(x_BCHW, norm):
        return False
    batch, channels, height, width = x_BCHW.shape
    if conv is not None:
        if type(conv) is not nn.Conv2d or channels != conv.in_channels or not is_plain(conv):
            return False
        channels, kernel, stride = conv.out_channels, conv.kernel_size[0], conv.stride[0]
        padding, kind = cast("tuple[int, int]", conv.padding)[0], kind_of(conv)
        height, width = (_out_size(size, kernel, stride, padding) for size in (height, width))
        if kind is None or height * width * kernel**2 > MOST_TERMS[kind]:
            return False
    shape = batch, channels, height, width
    return (
        min(height, width) > 0
        and batch * height * width > 1
        and channels == norm.num_features
        and (residual_BCHW is None or (is_map(residual_BCHW) and residual_BCHW.shape == shape))
    )


class _Settings(NamedTuple):
    """What a convolution and its normalisation do, beside their weights."""

    kind: str
    stride: int
    padding: int
    eps: float
    momentum: float
    has_relu: bool


def kind_of(conv: nn.Conv2d) -> str | None:
    """Return how a convolution is computed: ``"pointwise"``, ``"depthwise"``, ``"dense"``; None: not here."""
    square = conv.kernel_size[0] == conv.kernel_size[1] and conv.stride[0] == conv.stride[1]
    padding = conv.padding
    if conv.bias is not None or not square or isinstance(padding, str) or padding[0] != padding[1]:
        return None
    if conv.groups == 1:
        return "pointwise" if _is_pointwise(conv) else "dense"
    is_depthwise = conv.groups == conv.in_channels == conv.out_channels
    return "depthwise" if is_depthwise and conv.groups % VECTOR == 0 else None


def _is_pointwise(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == conv.stride == (1, 1) and conv.padding == (0, 0) and conv.groups == 1


def conv_norm(
    x_BCHW: Tensor,
    conv: nn.Conv2d,
    norm: nn.BatchNorm2d,
    *,
    has_relu: bool = False,
    residual_BCHW: Tensor | None = None,
) -> Tensor:
    """Return ``norm(conv(x))`` in training, then ReLU of it or the sum with a residual, not both.

    Running statistics are updated.

    Args:
        x_BCHW: Features.
        conv: A convolution.
        norm: Its normalisation; all fit together, see :func:`can_join`.
        has_relu: Whether ReLU follows.
        residual_BCHW: Features of the result's shape to add to it.
    """
    padding = cast("tuple[int, int]", conv.padding)[0]
    momentum = float(cast(float, norm.momentum))
    settings = _Settings(
        cast(str, kind_of(conv)), conv.stride[0], padding, float(norm.eps), momentum, has_relu
    )
    return _called(x_BCHW, conv.weight, norm, residual_BCHW, settings)


def norm_plus(x_BCHW: Tensor, norm: nn.BatchNorm2d, residual_BCHW: Tensor) -> Tensor:
    """Return ``norm(x) + residual`` in training; running statistics are updated.

    Args:
        x_BCHW: Features.
        norm: A normalisation; all fit together, see :func:`can_join`.
        residual_BCHW: Features of the same shape.
    """
    settings = _Settings("none", 1, 0, float(norm.eps), float(cast(float, norm.momentum)), False)
    return _called(x_BCHW, None, norm, residual_BCHW, settings)


def pointwise(x_BCHW: Tensor, conv: nn.Module) -> Tensor:
    """Return a point-wise convolution, as a matrix product if that is one and `x_BCHW` is suited.

    Args:
        x_BCHW: Features.
        conv: What should be a convolution with a kernel of 1x1, stride 1 and one group.
    """
    if type(conv) is not nn.Conv2d or not _is_pointwise(conv) or not is_suited(x_BCHW, conv):
        y: Tensor = conv(x_BCHW)
        return y
    rows = F.linear(x_BCHW.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias)
    return rows.permute(0, 3, 1, 2)


def _called(
    x: Tensor, weight: Tensor | None, norm: nn.BatchNorm2d, residual: Tensor | None, settings: _Settings
) -> Tensor:
    if residual is not None:
        residual = residual.contiguous(memory_format=torch.channels_last)
    buffers = norm.running_mean, norm.running_var, norm.num_batches_tracked
    result: Tensor = _ConvNorm.apply(x, weight, norm.weight, norm.bias, residual, buffers, settings)
    return result


class _ConvNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        scale: Tensor,
        bias: Tensor,
        residual: Tensor | None,
        buffers: Any,
        settings: _Settings,
    ) -> Tensor:
        y, kept = (x, None) if weight is None else _convolve(x, weight, settings)
        out, saved = _normalize(y, residual, scale, bias, buffers, settings)
        ctx.save_for_backward(x, weight, scale, bias, y, saved, kept)
        ctx.settings = settings
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, _, _, y, saved, kept = ctx.saved_tensors
        settings: _Settings = ctx.settings
        past = grad if ctx.needs_input_grad[4] else None
        if torch.is_grad_enabled() or is_implied(grad):
            return *_plain_gradients(ctx, grad), past, None, None
        grad_y, grad_scale, grad_bias = _normalize_backward(grad, y, saved, settings.has_relu)
        if weight is None:
            return grad_y, None, grad_scale, grad_bias, past, None, None
        wants_x = ctx.needs_input_grad[0]
        grad_x, grad_weight = _convolve_backward(grad_y, x, weight, settings, kept, wants_x=wants_x)
        return grad_x, grad_weight, grad_scale, grad_bias, past, None, None


def _plain_gradients(ctx: Any, grad: Tensor) -> list[Tensor | None]:
    """Return the gradients of features, weight, scale and bias by torch's operators.

    For gradients of gradients, and for many at once.
    """
    is_deeper, needed = torch.is_grad_enabled(), ctx.needs_input_grad[:4]
    with torch.enable_grad():
        # Views: what one of them was itself computed from is not followed.
        own: Any = [None if one is None else one.view_as(one) for one in ctx.saved_tensors[:4]]
        again = _plainly(own[0], own[1], own[2], own[3], ctx.settings)
    used = [one for one, is_needed in zip(own, needed, strict=True) if is_needed]
    found = iter(torch.autograd.grad(again, used, grad, create_graph=is_deeper) if used else ())
    return [next(found) if is_needed else None for is_needed in needed]


def _plainly(
    x: Tensor | None, weight: Tensor | None, scale: Tensor | None, bias: Tensor | None, settings: _Settings
) -> Tensor:
    y = cast(Tensor, x)
    if weight is not None:
        groups = y.shape[1] // weight.shape[1]
        y = F.conv2d(y, weight, None, settings.stride, settings.padding, 1, groups)
    y = F.batch_norm(y, None, None, scale, bias, training=True, eps=settings.eps)
    return y.relu() if settings.has_relu else y


# --- batch norm --------------------------------------------------------------------------------------------


def _normalize(
    x: Tensor, residual: Tensor | None, scale: Tensor, bias: Tensor, buffers: Any, settings: _Settings
) -> tuple[Tensor, Tensor]:
    """Return the normalised map, and (mean, 1 / std, scale, shift) of each channel."""
    mean, var, count = buffers
    channels = x.shape[1]
    out, saved = torch.empty_like(x), x.new_empty(4, channels)
    places = (out, scale, bias, mean, var, count, saved)
    _loops().normalize(
        x.data_ptr(),
        0 if residual is None else residual.data_ptr(),
        *(tensor.data_ptr() for tensor in places),
        *_unsigned(x.numel() // channels, channels),
        settings.has_relu,
        settings.eps,
        settings.momentum,
    )
    return out, saved


def _normalize_backward(
    grad: Tensor, x: Tensor, saved: Tensor, has_relu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    channels = x.shape[1]
    grad = grad.contiguous(memory_format=torch.channels_last)
    grad_x, grad_affine = torch.empty_like(x), x.new_empty(2, channels)
    places = (grad, x, saved, grad_x, grad_affine)
    sizes = _unsigned(x.numel() // channels, channels)
    _loops().normalize_backward(*(tensor.data_ptr() for tensor in places), *sizes, has_relu)
    return grad_x, grad_affine[0], grad_affine[1]


# --- convolutions ------------------------------------------------------------------------------------------


def _convolve(x: Tensor, weight: Tensor, settings: _Settings) -> tuple[Tensor, Tensor | None]:
    """Return the convolution, and what its gradients need beside its input."""
    kernel, stride, padding = weight.shape[2], settings.stride, settings.padding
    height, width = (_out_size(size, kernel, stride, padding) for size in x.shape[2:])
    shape = (x.shape[0], weight.shape[0], height, width)
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    if settings.kind == "depthwise":
        taps = _by_tap(weight)
        table = _depthwise_tables(x.shape[2], x.shape[3], kernel, stride, padding, x.shape[1])[0]
        sizes = height * width * x.shape[1], x.shape[2] * x.shape[3] * x.shape[1]
        _add_terms(taps, 0, x, sizes[1], y.zero_(), sizes[0], table, x.shape)
        return y, None
    rows = x.permute(0, 2, 3, 1).view(-1, x.shape[1])
    if settings.kind == "dense":
        rows = _patches(x, weight, settings)
    torch.mm(rows, _matrix(weight).t(), out=y.permute(0, 2, 3, 1).view(-1, weight.shape[0]))
    return y, rows if settings.kind == "dense" else None


def _convolve_backward(
    grad: Tensor, x: Tensor, weight: Tensor, settings: _Settings, kept: Tensor | None, *, wants_x: bool
) -> tuple[Tensor | None, Tensor]:
    if settings.kind == "depthwise":
        return _depthwise_backward(grad, x, weight, settings, wants_x=wants_x)
    flat = grad.permute(0, 2, 3, 1).view(-1, weight.shape[0])
    rows = x.permute(0, 2, 3, 1).view(-1, x.shape[1]) if kept is None else kept
    grad_matrix = flat.t() @ rows
    kernel = weight.shape[2]
    grad_weight = grad_matrix.view(weight.shape[0], kernel, kernel, -1).permute(0, 3, 1, 2)
    if not wants_x:
        return None, grad_weight
    grad_x = torch.empty_like(x)
    if kept is None:
        torch.mm(flat, _matrix(weight), out=grad_x.permute(0, 2, 3, 1).view(-1, x.shape[1]))
    else:
        _add_patches(flat @ _matrix(weight), grad_x, weight, settings)
    return grad_x, grad_weight


def _depthwise_backward(
    grad: Tensor, x: Tensor, weight: Tensor, settings: _Settings, *, wants_x: bool
) -> tuple[Tensor | None, Tensor]:
    kernel, channels = weight.shape[2], x.shape[1]
    _, back, of_taps = _depthwise_tables(
        x.shape[2], x.shape[3], kernel, settings.stride, settings.padding, channels
    )
    grad_taps = x.new_zeros(kernel * kernel, channels)
    out_size, in_size = (t.shape[1] * t.shape[2] * t.shape[3] for t in (grad, x))
    _add_terms(grad, out_size, x, in_size, grad_taps, 0, of_taps, x.shape)
    grad_x = None
    if wants_x:
        grad_x = torch.zeros_like(x)
        taps = _by_tap(weight)
        _add_terms(taps, 0, grad, out_size, grad_x, in_size, back, x.shape)
    return grad_x, grad_taps.t().reshape(weight.shape)


def _add_terms(
    a: Tensor,
    a_pitch: int,
    b: Tensor,
    b_pitch: int,
    out: Tensor,
    out_pitch: int,
    table: _Table,
    shape: torch.Size,
) -> None:
    pitches = _unsigned(a_pitch, b_pitch, out_pitch)
    _loops().add_terms(
        *(a.data_ptr(), pitches[0], b.data_ptr(), pitches[1], out.data_ptr(), pitches[2]),
        *table.places,
        *_unsigned(table.positions, shape[0], shape[1]),
    )


def _by_tap(weight: Tensor) -> Tensor:
    """Return the weights of a depth-wise convolution with shape (K*K, C)."""
    return weight.detach().reshape(weight.shape[0], -1).t().contiguous()


def _matrix(weight: Tensor) -> Tensor:
    """Return weights with shape (C_out, K*K * C_in), as patches lie in memory."""
    return weight.detach().permute(0, 2, 3, 1).reshape(weight.shape[0], -1)


def _patches(x: Tensor, weight: Tensor, settings: _Settings) -> Tensor:
    """Return each output pixel's patch as a row, shape (R_out, K*K * C_in)."""
    kernel = weight.shape[2]
    places = _patch_places(x.shape[2], x.shape[3], kernel, settings.stride, settings.padding)
    patches = x.new_empty(x.shape[0] * len(places) // kernel**2, kernel**2 * x.shape[1])
    sizes = _unsigned(len(places), x.shape[0], x.shape[2] * x.shape[3], x.shape[1])
    _loops().copy_patches(x.data_ptr(), patches.data_ptr(), places.ctypes.data, *sizes)
    return patches


def _add_patches(patches: Tensor, grad_x: Tensor, weight: Tensor, settings: _Settings) -> None:
    shape = grad_x.shape
    places = _patch_places(shape[2], shape[3], weight.shape[2], settings.stride, settings.padding)
    sizes = _unsigned(len(places), shape[0], shape[2] * shape[3], shape[1])
    _loops().add_patches(patches.data_ptr(), grad_x.data_ptr(), places.ctypes.data, *sizes)


def _out_size(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


@lru_cache(maxsize=64)
def _patch_places(height: int, width: int, kernel: int, stride: int, padding: int) -> NDArray[np.uint64]:
    """Return the pixel of each tap of each output pixel, in that order; outside it is H * W."""
    rows, columns = (
        np.arange(_out_size(size, kernel, stride, padding))[:, None] * stride + np.arange(kernel) - padding
        for size in (height, width)
    )
    y, x = rows[:, None, :, None], columns[None, :, None, :]
    is_inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return np.where(is_inside, y * width + x, height * width).astype(np.uint64).ravel()


@lru_cache(maxsize=64)
def _depthwise_tables(
    height: int, width: int, kernel: int, stride: int, padding: int, channels: int
) -> tuple[_Table, _Table, _Table]:
    """Return the terms of the outputs, of the gradient of the inputs, and of the gradient of the taps.

    Terms outside the plane are left out.
    """
    places = _patch_places(height, width, kernel, stride, padding).reshape(-1, kernel * kernel)
    pixel, tap = np.nonzero(places < height * width)
    source = places[pixel, tap].astype(np.int64)
    return (
        _Table(pixel, tap, source, len(places), channels),
        _Table(source, tap, pixel, height * width, channels),
        _Table(tap, pixel, source, kernel * kernel, channels),
    )


class _Table:
    """The terms of each position; see :mod:`lsbench.models.ops.train_kernels`.

    Attributes:
        positions: Number of positions.
        places: Addresses of the first term of each position, and of the two offsets of each term.
    """

    def __init__(
        self,
        out: NDArray[np.int64],
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        positions: int,
        channels: int,
    ) -> None:
        order = np.argsort(out, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=positions))])
        parts = starts, a[order] * channels, b[order] * channels
        self.positions = positions
        self._parts = tuple(part.astype(np.uint64) for part in parts)
        self.places = tuple(part.ctypes.data for part in self._parts)


@lru_cache(maxsize=512)
def _unsigned(*numbers: int) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(number) for number in numbers)


@cache
def _loops() -> Any:
    """Return the compiled loops; numba takes a while to be imported."""
    from lsbench.models.ops import train_kernels

    return train_kernels
