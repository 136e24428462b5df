"""A convolution for evaluation that lays out its weights for the CPU once instead of on every call.

oneDNN, which computes PyTorch's convolutions on x86 CPUs, needs weights in blocks that depend on convolution,
image size and machine. PyTorch reorders them on every call, and takes another path for single images.
torch.compile with freezing orders them once; this module does so without a compiler. The cost is a second
copy of the weights. As that copy would be stale after a change, packed weights are frozen.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined]

from lsbench.models.frozen_weight import FrozenWeight

#: Number of image sizes for which a module keeps its packed weights.
KEPT = 4


def pack(model: nn.Module) -> nn.Module:
    """Freeze the weight of every convolution of `model` that can be packed, and return the model.

    The last step before running it: they are packed on first use, and from now on writing to one of them, and
    moving the model to another device or dtype, raises a RuntimeError.
    """
    for module in model.modules():
        if (
            type(module) in (nn.Conv2d, PackedConv2d)
            and module.padding_mode == "zeros"
            and module.padding != "same"
            and module.weight.device.type == "cpu"
            and _is_supported(module.weight.dtype)
        ):
            # Same parameters, names and hooks: only `forward` differs.
            module.__class__ = PackedConv2d
            module.weight = FrozenWeight(module.weight)
    return model


class PackedConv2d(nn.Conv2d):
    """``nn.Conv2d`` that packs its weight where that is faster.

    That is with a frozen weight, without gradients, on a CPU supported by oneDNN, in float32 or bfloat16,
    outside autocast. Everywhere else, and for tracers, counters and compilers, it is the plain convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of images (B, C, H, W)."""
        weight = self.weight
        if not isinstance(weight, FrozenWeight):
            return super().forward(x)
        if torch.compiler.is_compiling() or is_tracing():  # type: ignore[no-untyped-call]
            # They do not see what happens inside the frozen one.
            plain: Tensor = self._conv_forward(x, weight.plain, self.bias)
            return plain
        if not _is_packable(x, weight):
            return super().forward(x)
        packed = weight.packed.get(x.shape)
        if packed is None:
            packed = self._pack(weight, x.shape)
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, packed, self.bias, *self._sizes(), self.groups, "none", [], ""
        )
        return y

    def _pack(self, weight: FrozenWeight, shape: torch.Size) -> Tensor:
        """Return the weight packed for images of `shape`, and keep it."""
        if len(weight.packed) >= KEPT:
            weight.packed.pop(next(iter(weight.packed)))
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            weight.plain, *self._sizes(), self.groups, list(shape)
        )
        weight.packed[shape] = packed
        return packed

    def _sizes(self) -> tuple[tuple[int, ...], ...]:
        """Return padding, stride and dilation, each per axis."""
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        return padding, self.stride, self.dilation


def _is_packable(x: Tensor, weight: Tensor) -> bool:
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dim() == 4
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and torch._C._len_torch_dispatch_stack() == 0  # no counter or recorder of operators is active
        and bool(torch.backends.mkldnn.enabled)
    )


@cache
def _is_supported(dtype: torch.dtype) -> bool:
    """Return True if oneDNN supports `dtype` on this machine and PyTorch offers its packing."""
    is_built = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not is_built or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    is_bfloat16 = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32 or bool(is_bfloat16)
