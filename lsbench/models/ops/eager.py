"""Tell whether an operator may be run directly, without PyTorch's dispatcher.

A custom operator costs about ten microseconds of dispatch in each direction, as much as the loops of SKA take
for a small map. What the dispatcher is there for, compilers, tracers, transforms, profilers, autocast, is
rarely in use.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter


def is_eager(*tensors: Tensor) -> bool:
    """Return whether nobody watches or transforms what happens to these tensors, all on the CPU.

    >>> is_eager(torch.ones(1))
    True
    >>> torch.vmap(lambda x: torch.tensor(is_eager(x)))(torch.ones(1))
    tensor([False])
    """
    return (
        is_untransformed()
        and not torch._C._autograd._profiler_enabled()
        and all(
            (type(tensor) is Tensor or type(tensor) is Parameter) and tensor.is_cpu and not is_implied(tensor)
            for tensor in tensors
        )
    )


def is_untransformed() -> bool:
    """Return whether no compiler, tracer, mode, transform of torch.func, dual number or autocast is at work.

    >>> is_untransformed()
    True
    """
    return (
        not torch.compiler.is_compiling()  # first: a compiler reads no further
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._len_torch_function_stack() == 0
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
        and torch._C._get_tracing_state() is None
        and not torch.is_autocast_enabled("cpu")
    )


def is_implied(tensor: Tensor) -> bool:
    """Return whether a tensor's numbers do not stand in its memory.

    A negative view holds their opposites, and a batch of gradients (``is_grads_batched``) nothing.

    >>> is_implied(torch.ones(1)), is_implied(torch._neg_view(torch.ones(1)))
    (False, True)
    """
    return tensor.is_neg() or bool(torch._C._functorch.is_legacy_batchedtensor(tensor))
