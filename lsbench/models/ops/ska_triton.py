"""SKA on NVIDIA GPUs: launches the Triton programs of `ska_triton_kernels` and `ska_triton_tail_kernels`.

Importing this module needs neither Triton nor a GPU; calling it does.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import torch
from torch import Tensor

from lsbench.models.ops.ska_reference import Pair, Quartet, accumulation_dtype

#: From this many elements on, offsets within an image are computed in 64 bits. Half of the range of 32 bits,
#: as a masked-out position may lie beyond the last one.
WIDE_FROM = 2**30

#: A loop over the channels that share a weight is unrolled up to this many products per position.
MOST_UNROLLED = 144


def forward(x: Tensor, weight: Tensor, kernel: int) -> Tensor:
    """Return SKA of `x`, in its memory format.

    Args:
        x: Floating-point features, shape (B, C, H, W), of any strides; contiguous or channels_last is
            fast.
        weight: Weights of the same dtype and device, shape (B, G, K*K, H, W), of any strides; G divides C.
        kernel: K, odd.

    Raises:
        RuntimeError: If Triton is not installed.
    """
    y = torch.empty_like(x)
    if x.numel():
        _launch(_programs().ska_forward, (x, weight, y), x, weight.shape[1], kernel)
    return y


def backward(grad: Tensor, x: Tensor, weight: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of `x` and `weight`, in their memory formats, computed by one launch.

    Args:
        grad: Gradient of the result, shape and dtype of `x`, of any strides.
        x: As in `forward`.
        weight: As in `forward`.
        kernel: K, odd.

    Raises:
        RuntimeError: If Triton is not installed.
    """
    if not x.numel():
        return torch.empty_like(x), torch.zeros_like(weight)
    grad_x, grad_weight = torch.empty_like(x), torch.empty_like(weight)
    tensors = (grad, x, weight, grad_x, grad_weight)
    _launch(_programs().ska_backward, tensors, x, weight.shape[1], kernel)
    return grad_x, grad_weight


def tail(
    x: Tensor,
    weight: Tensor,
    affine: Pair,
    norm: Quartet,
    epsilons: tuple[float, float],
    groups: int,
) -> Tensor:
    """Return ``batch_norm(ska(x, group_norm(weight))) + x`` in evaluation, in the memory format of `x`.

    Args:
        x: Features, as in `forward`.
        weight: Weights before their normalisation, shape (B, G * K*K, H, W), of the same dtype and device,
            of any strides; the layout of `x` is fast.
        affine: Weight and bias of the group norm, shape (G * K*K,).
        norm: Weight, bias, mean and variance of the batch norm, shape (C,).
        epsilons: Epsilon of the group norm and of the batch norm.
        groups: G.

    Raises:
        RuntimeError: If Triton is not installed.
    """
    y = torch.empty_like(x)
    if not x.numel():
        return y
    programs = _programs("ska_triton_tail_kernels")
    batch, _, height, width = x.shape
    kernel = math.isqrt(weight.shape[1] // groups)
    mean, scale = torch.empty(2, batch * groups, dtype=accumulation_dtype(x.dtype), device=x.device)
    with torch.cuda.device(x.get_device()):
        programs.ska_statistics[(batch * groups,)](
            *(weight, mean, scale, weight.stride(), height, width),
            G=groups,
            K=kernel,
            EPSILON=epsilons[0],
            ACC=_accumulator(x),
            CHANNELS_LAST=weight.stride(1) < weight.stride(3),
            WIDE=_reach(weight) >= WIDE_FROM,
            BLOCK=programs.STATISTICS_BLOCK,
        )
    vectors = (mean, scale, *(vector.contiguous() for vector in (*affine, *norm)))
    _launch(programs.ska_tail, (x, weight, y), x, groups, kernel, vectors=vectors, EPSILON=epsilons[1])
    return y


def _launch(
    program: Any,
    tensors: tuple[Tensor, ...],
    x: Tensor,
    groups: int,
    kernel: int,
    *,
    vectors: tuple[Tensor, ...] = (),
    **constants: float,
) -> None:
    """Run one program over all positions of all weight channels of all images.

    Args:
        program: Takes the tensors, the vectors, the tensors' strides, and the sizes.
        tensors: Its large tensors.
        x: The features among them.
        groups: Weight channels.
        kernel: K.
        vectors: Contiguous tensors of one dimension.
        constants: Its own compile-time constants.
    """
    batch, channels, height, width = x.shape
    length, users = groups * height * width, channels // groups

    def grid(launch: dict[str, Any]) -> tuple[int]:
        return (batch * -(-length // launch["BLOCK"]),)

    # Triton launches on the current device, which may differ from the tensors' device.
    with torch.cuda.device(x.get_device()):
        program[grid](
            *tensors,
            *vectors,
            *(tensor.stride() for tensor in tensors),
            length,
            height,
            width,
            # One class spans a factor of four, so batches of 1 to 256 are tuned at most five times.
            size_class=(batch * length).bit_length() // 2,
            G=groups,
            M=users,
            K=kernel,
            UNROLL=users if users * kernel**2 <= MOST_UNROLLED else 1,
            ACC=_accumulator(x),
            CHANNELS_LAST=x.stride(1) < x.stride(3),
            WIDE=max(_reach(tensor) for tensor in tensors) >= WIDE_FROM,
            **constants,
        )


def _reach(tensor: Tensor) -> int:
    """Return the distance in elements between the first and the last one of an image, gaps included."""
    sizes, strides = tensor.shape[1:], tensor.stride()[1:]
    return sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))


def _accumulator(x: Tensor) -> Any:
    language = _programs().tl
    return language.float64 if x.dtype == torch.float64 else language.float32


def _programs(name: str = "ska_triton_kernels") -> Any:
    """Return a module of programs."""
    try:
        return importlib.import_module(f"lsbench.models.ops.{name}")
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        message = "SKA on a GPU needs Triton: install it (pip install triton) or use the CPU"
        raise RuntimeError(message) from error
