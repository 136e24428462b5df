"""Which training steps the operators for one CPU core may take: see :mod:`lsbench.models.ops.train_step`.

Their sums round in their own way, so that a training has to ask for them: a map of one pixel lies in memory
as both layouts have it, and some mixers make maps with the channels of a pixel together in any training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from lsbench.models.ops.eager import is_implied, is_untransformed

#: Number of float32 that fill a vector of the loops.
VECTOR = 8
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_is_wanted = ContextVar("_is_wanted", default=True)


@contextmanager
def loops_if(is_wanted: bool) -> Iterator[None]:
    """Let no step meanwhile use these operators unless they are wanted, whatever its maps look like."""
    before = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(before)


def is_suited(x: Tensor, *modules: nn.Module) -> bool:
    """Return whether a training step of `modules` on the map `x` may use these operators.

    Not with several threads, whose share of the work is torch's affair, nor where someone looks at the single
    operators: hooks, tracers, compilers, counters, transforms of torch.func, dual numbers, autocast.
    """
    return (
        is_untransformed()  # first: a compiler reads no further
        and _is_wanted.get()
        and is_map(x)
        and torch.is_grad_enabled()
        and torch.get_num_threads() == 1
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch_module._has_any_global_hook()  # type: ignore[no-untyped-call]
        and all(map(is_plain, modules))
    )


def is_map(x: Tensor) -> bool:
    """Return whether `x` holds float32 maps (B, C, H, W) of its own in the CPU's memory."""
    return type(x) is Tensor and x.dtype is torch.float32 and x.dim() == 4 and x.is_cpu and not is_implied(x)


def is_plain(module: nn.Module) -> bool:
    """Return whether a layer trains as its class says, with nobody watching."""
    state = module.__dict__  # its attributes would take a microsecond each
    if "forward" in state or any(state[kind] for kind in _HOOKS):
        return False
    own, buffers = state["_parameters"], state["_buffers"]
    if type(module) is nn.BatchNorm2d:
        count, channels = buffers.get("num_batches_tracked"), module.num_features
        return (
            module.training
            and module.momentum is not None
            and channels >= VECTOR
            and _is_row(own.get("weight"), nn.Parameter, channels)
            and _is_row(own.get("bias"), nn.Parameter, channels)
            and _is_row(buffers.get("running_mean"), Tensor, channels)
            and _is_row(buffers.get("running_var"), Tensor, channels)
            and count is not None
            and count.dtype is torch.int64
            and count.is_cpu
        )
    if type(module) is nn.Conv2d:
        weight = own.get("weight")
        shape = module.out_channels, module.in_channels // module.groups, *module.kernel_size
        return (
            type(weight) is nn.Parameter
            and weight.dtype is torch.float32
            and weight.is_cpu
            and weight.shape == shape
            and module.padding_mode == "zeros"
            and module.dilation == (1, 1)
            and not isinstance(module.padding, str)
        )
    return True


def _is_row(tensor: Tensor | None, kind: type[Tensor], count: int) -> bool:
    """Return whether a tensor is `count` float32 one after another in the CPU's memory."""
    if type(tensor) is not kind or tensor.dtype is not torch.float32 or not tensor.is_cpu:
        return False
    return tensor.numel() == count and tensor.is_contiguous()
