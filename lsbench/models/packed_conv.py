"""A convolution for evaluation that lays out its weights for the CPU once instead of on every call.

oneDNN, which computes PyTorch's convolutions on x86 CPUs, needs weights in blocks that depend on convolution,
image size and machine. PyTorch reorders them on every call, and takes another path for single images.
torch.compile with freezing orders them once; this module does so without a compiler. The cost is a second
copy of the weights.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined]

#: Number of image sizes for which a module keeps its packed weights.
KEPT = 4


def pack(model: nn.Module) -> nn.Module:
    """Make every plain convolution of `model` pack its weights on first use, and return the model."""
    for module in model.modules():
        if type(module) is nn.Conv2d and module.padding_mode == "zeros" and module.padding != "same":
            # Same parameters, names and hooks: only `forward` differs.
            module.__class__ = PackedConv2d
    return model


class PackedConv2d(nn.Conv2d):
    """``nn.Conv2d`` that packs its weights where that is faster.

    That is without gradients, on a CPU supported by oneDNN, in float32 or bfloat16, outside autocast.
    Everywhere else, and for tracers, counters and compilers, it is the plain convolution.
    """

    _source: Tensor | None = None
    _version = 0
    _ready: dict[torch.Size, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of images (B, C, H, W)."""
        if torch.compiler.is_compiling() or not self._is_packable(x):
            return super().forward(x)
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed(x), self.bias, *self._sizes(), self.groups, "none", [], ""
        )
        return y

    def _is_packable(self, x: Tensor) -> bool:
        weight = self.weight
        return (
            not torch.is_grad_enabled()
            and x.device.type == "cpu"
            and x.dtype == weight.dtype
            and _is_supported(x.dtype)
            and x.dim() == 4
            and x.numel() > 0
            and not torch.is_autocast_enabled("cpu")
            and not is_tracing()  # type: ignore[no-untyped-call]
            and torch._C._len_torch_dispatch_stack() == 0  # no counter or recorder of operators is active
            and bool(torch.backends.mkldnn.enabled)
            and not weight.is_inference()
        )

    def _packed(self, x: Tensor) -> Tensor:
        """Return the weights packed for images like `x`; packs them again if they have changed."""
        weight = self.weight
        source, ready = self._source, self._ready
        # Keeps a reference to the packed weights, so that no other weights can get their address.
        if (
            ready is None
            or source is None
            or source.data_ptr() != weight.data_ptr()
            or source.dtype != weight.dtype
            or self._version != weight._version
        ):
            ready = self._ready = {}
            self._source, self._version = weight.detach(), weight._version
        packed = ready.get(x.shape)
        if packed is None:
            if len(ready) >= KEPT:
                ready.pop(next(iter(ready)))
            packed = ready[x.shape] = torch.ops.mkldnn._reorder_convolution_weight(
                weight.detach(), *self._sizes(), self.groups, list(x.shape)
            )
        return packed

    def _sizes(self) -> tuple[tuple[int, ...], ...]:
        """Return padding, stride and dilation, each per axis."""
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        return padding, self.stride, self.dilation

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the packed weights from copies and files."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_source", "_ready")}


@cache
def _is_supported(dtype: torch.dtype) -> bool:
    """Return True if oneDNN supports `dtype` on this machine and PyTorch offers its packing."""
    is_built = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not is_built or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    is_bfloat16 = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32 or bool(is_bfloat16)
