"""SKA on a CPU: passes tensors to the compiled loops and divides the work among torch's number of threads.

The threads are Python's, and the loops release the interpreter's lock. A second OpenMP would spin beside
torch's, and would not survive a fork.

Shapes: B batch, C channels, G weight channels, M = C / G channels that share one weight, K*K taps, H, W
plane.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsbench.models.ops.ska_reference import Pair, Quartet, accumulation_dtype

#: Number of weight channels that fill one vector of the loops, for any dtype; fewer are handled plane by
#: plane.
VECTOR = 8
#: Multiply-adds below which a second thread costs more than it gains.
GRAIN = 2_000_000


def forward(x_BCHW: Tensor, weight_BGKHW: Tensor, kernel: int) -> Tensor:
    """Return the aggregation, in the memory format of `x_BCHW`.

    Args:
        x_BCHW: Features in float32, float64, bfloat16 or float16, contiguous or channels_last.
        weight_BGKHW: Weights of the same dtype.
        kernel: K.
    """
    if x_BCHW.dtype == torch.float16:
        return forward(x_BCHW.float(), weight_BGKHW.float(), kernel).half()
    if _is_nhwc(x_BCHW) and weight_BGKHW.shape[1] < VECTOR:
        return _to_nhwc(forward(x_BCHW.contiguous(), weight_BGKHW, kernel))
    y_BCHW = torch.empty_like(x_BCHW)
    weight_BGKHW = _fitting(weight_BGKHW, x_BCHW)
    _run("forward", (x_BCHW, weight_BGKHW, y_BCHW), _work(x_BCHW, weight_BGKHW, kernel))
    return y_BCHW


def backward(grad_BCHW: Tensor, x_BCHW: Tensor, weight_BGKHW: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of features and weights, each in the memory format of its tensor.

    Args:
        grad_BCHW: Gradient of the result, dtype and memory format as `x_BCHW`.
        x_BCHW: Features, as in :func:`forward`.
        weight_BGKHW: Weights of the same dtype.
        kernel: K.
    """
    if x_BCHW.dtype == torch.float16:
        wide = backward(grad_BCHW.float(), x_BCHW.float(), weight_BGKHW.float(), kernel)
        return wide[0].half(), wide[1].half()
    if _is_nhwc(x_BCHW) and weight_BGKHW.shape[1] < VECTOR:
        grad_x, grad_weight = backward(grad_BCHW.contiguous(), x_BCHW.contiguous(), weight_BGKHW, kernel)
        return _to_nhwc(grad_x), grad_weight
    weight = _fitting(weight_BGKHW, x_BCHW)
    grad_x, grad_weight = torch.empty_like(x_BCHW), torch.empty_like(weight)
    tensors = grad_BCHW, x_BCHW, weight, grad_x, grad_weight
    _run("backward", tensors, _work(x_BCHW, weight, kernel))
    return grad_x, grad_weight


def tail(
    x_BCHW: Tensor,
    weight_BDHW: Tensor,
    affine: Pair,
    norm: Quartet,
    epsilons: tuple[float, float],
    groups: int,
) -> Tensor:
    """Return ``batch_norm(ska(x, group_norm(weight))) + x`` in one pass over features and weights.

    Args:
        x_BCHW: Features, as in :func:`forward`.
        weight_BDHW: Weights before their normalisation, D = G * K*K channels, memory format as `x_BCHW`.
        affine: (weight, bias) of the group norm, shape (D,).
        norm: (weight, bias, mean, variance) of the batch norm in evaluation, shape (C,).
        epsilons: Epsilon of the group norm and of the batch norm.
        groups: G.
    """
    if x_BCHW.dtype == torch.float16:
        wide = affine[0].float(), affine[1].float()
        norms = norm[0].float(), norm[1].float(), norm[2].float(), norm[3].float()
        return tail(x_BCHW.float(), weight_BDHW.float(), wide, norms, epsilons, groups).half()
    if _is_nhwc(x_BCHW) and groups < VECTOR:
        return _to_nhwc(tail(x_BCHW.contiguous(), weight_BDHW.contiguous(), affine, norm, epsilons, groups))
    y_BCHW = torch.empty_like(x_BCHW)
    weight_BGKHW = weight_BDHW.reshape(weight_BDHW.shape[0], groups, -1, *weight_BDHW.shape[2:])
    work = _work(x_BCHW, weight_BGKHW, math.isqrt(weight_BGKHW.shape[2]))
    if work.layout == "nhwc":
        work = work._replace(units=x_BCHW.shape[0])  # the statistics need all rows of an image
    tensors = x_BCHW, weight_BGKHW, y_BCHW
    if len({parameter.dtype for parameter in (*affine, *norm)}) > 1:
        work = work._replace(like=None)
    kind = () if work.like is None else (_like(norm[0].dtype),)
    _run("tail", tensors, work, (affine, norm), *kind, epsilons)
    return y_BCHW


def _is_nhwc(tensor: Tensor) -> bool:
    return not tensor.is_contiguous()


def _to_nhwc(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def _fitting(weight: Tensor, x: Tensor) -> Tensor:
    """Return the weights in a layout that the loops for `x` can read; pixel by pixel takes any order."""
    return weight if _is_nhwc(x) else weight.contiguous()


class _Work(NamedTuple):
    """Arguments of the loops beside the arrays; all integers are unsigned, as numba needs them.

    Attributes:
        layout: ``"nchw"`` or ``"nhwc"``.
        arguments: Arguments of a loop after the arrays.
        units: Number of units of work.
        macs: Multiply-adds of one pass.
        like: An array of the tensors' dtype if the loops for kernels of 3 x 3 can do it.
    """

    layout: str
    arguments: tuple[Any, ...]
    units: int
    macs: int
    like: NDArray[Any] | None = None


def _work(x: Tensor, weight: Tensor, kernel: int) -> _Work:
    strides = None
    if _is_nhwc(x):
        pixel = weight.stride(4) if x.shape[3] > 1 else weight.stride(3)
        strides = weight.stride(0), pixel, weight.stride(1), weight.stride(2)
    return _described(tuple(x.shape), weight.shape[1], strides, kernel, x.dtype)


@lru_cache(maxsize=256)
def _described(
    shape: tuple[int, ...], groups: int, w_strides: tuple[int, ...] | None, kernel: int, dtype: torch.dtype
) -> _Work:
    """Return the work on features of `shape`; `w_strides` are the weights', None for plane by plane."""
    batch, channels, height, width = shape
    inside_y, inside_x = _inside(height, kernel), _inside(width, kernel)
    inside = (inside_y[:, None, :, None] & inside_x[None, :, None, :]).ravel()
    inside = inside.astype(np.float64 if accumulation_dtype(dtype) == torch.float64 else np.float32)
    like = _like(dtype)
    sizes = _unsigned(height, width, groups, channels // groups, kernel)
    macs = batch * channels * height * width * kernel * kernel
    if w_strides is None:
        is_three = kernel == 3 and height * width >= VECTOR
        return _Work("nchw", (inside, sizes), batch * groups, macs, like if is_three else None)
    is_three = kernel == 3 and w_strides[3] == 1
    arguments = inside[:0], sizes, _unsigned(*w_strides)
    return _Work("nhwc", arguments, batch * height, macs, like if is_three else None)


@cache
def _like(dtype: torch.dtype) -> NDArray[Any]:
    """Return an empty array by which a loop knows a tensor's dtype."""
    return _flat(torch.empty(0, dtype=dtype))


def _unsigned(*numbers: int) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(number) for number in numbers)


def _inside(size: int, kernel: int) -> NDArray[np.bool_]:
    """Return shape (kernel, size): whether tap t of position p lies inside the axis."""
    neighbour = np.arange(size) + np.arange(kernel)[:, None] - kernel // 2
    return (neighbour >= 0) & (neighbour < size)


def _flat(tensor: Tensor) -> NDArray[Any]:
    """Return a dense tensor's numbers in memory order; bfloat16 as its bits."""
    flat = tensor.as_strided((tensor.numel(),), (1,))
    array: NDArray[Any] = (flat.view(torch.uint16) if flat.dtype == torch.bfloat16 else flat).numpy()
    return array


def _run(
    name: str,
    tensors: tuple[Tensor, ...],
    work: _Work,
    parameters: tuple[tuple[Tensor, ...], ...] = (),
    *rest: Any,
) -> None:
    """Run a loop over all units of `work`, on up to torch's number of threads, as far as it is worth.

    Its arguments are `tensors`, `parameters`, `rest`, then those of `work`.
    """
    if work.macs == 0:
        return
    loop = getattr(_loops(name, work.like is not None), f"{name}_{work.layout}")
    arguments: tuple[Any, ...]
    if work.like is not None:
        addresses = (tuple(map(Tensor.data_ptr, each)) for each in parameters)
        arguments = (*map(Tensor.data_ptr, tensors), *addresses, work.like, *rest, *work.arguments)
    else:
        arrays = (tuple(map(_flat, each)) for each in parameters)
        arguments = (*map(_flat, tensors), *arrays, *rest, *work.arguments)
    edges = _edges(work.units, work.macs, torch.get_num_threads())
    others = [
        _pool(len(edges) - 2).submit(_run_part, loop, (*arguments, *edges[i : i + 2]), tensors, parameters)
        for i in range(1, len(edges) - 1)
    ]
    loop(*arguments, *edges[:2])
    for other in others:
        other.result()


def _run_part(loop: Callable[..., None], arguments: tuple[Any, ...], *_tensors: Any) -> None:
    """Run a loop in another thread, which keeps the tensors alive even if the caller is interrupted."""
    loop(*arguments)


@cache
def _loops(name: str, is_three: bool) -> ModuleType:
    """Return the module with the loops of this name, for kernels of 3 x 3 or of any size."""
    from lsbench.models.ops import ska_cpu_kernels, ska_cpu_three_kernels, ska_cpu_three_tail_kernels

    if not is_three:
        return ska_cpu_kernels
    return ska_cpu_three_tail_kernels if name == "tail" else ska_cpu_three_kernels


def _edges(units: int, macs: int, threads: int) -> tuple[np.uint64, ...]:
    """Return where each thread's units begin, and the end."""
    return _split(units, min(threads, units, 1 + macs // GRAIN))


@lru_cache(maxsize=256)
def _split(units: int, parts: int) -> tuple[np.uint64, ...]:
    return _unsigned(*(units * part // parts for part in range(parts + 1)))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ska")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
