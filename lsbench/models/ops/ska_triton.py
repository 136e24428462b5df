"""SKA on NVIDIA GPUs: launches the Triton programs of `ska_triton_kernels`.

Importing this module needs neither Triton nor a GPU; calling it does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
        _launch("ska_forward", (x, weight, y), x, weight, kernel)
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
    _launch("ska_backward", (grad, x, weight, grad_x, grad_weight), x, weight, kernel)
    return grad_x, grad_weight


def _launch(name: str, tensors: tuple[Tensor, ...], x: Tensor, weight: Tensor, kernel: int) -> None:
    """Run one program over all positions of all weight channels of all images."""
    kernels = _kernels()
    batch, channels, height, width = x.shape
    groups = weight.shape[1]
    length, users = groups * height * width, channels // groups

    def grid(launch: dict[str, Any]) -> tuple[int]:
        return (batch * -(-length // launch["BLOCK"]),)

    # Triton launches on the current device, which may differ from the tensors' device.
    with torch.cuda.device(x.get_device()):
        getattr(kernels, name)[grid](
            *tensors,
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
            ACC=kernels.tl.float64 if x.dtype == torch.float64 else kernels.tl.float32,
            CHANNELS_LAST=x.stride(1) < x.stride(3),
            WIDE=max(_reach(tensor) for tensor in tensors) >= WIDE_FROM,
        )


def _reach(tensor: Tensor) -> int:
    """Return the distance in elements between the first and the last one of an image, gaps included."""
    sizes, strides = tensor.shape[1:], tensor.stride()[1:]
    return sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))


def _kernels() -> Any:
    """Return the module of the programs."""
    try:
        from lsbench.models.ops import ska_triton_kernels
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        message = "SKA on a GPU needs Triton: install it (pip install triton) or use the CPU"
        raise RuntimeError(message) from error
    return ska_triton_kernels
