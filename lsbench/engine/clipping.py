"""Clip gradients before an update: timm's modes, and adaptive clipping over all parameters at once.

Shapes: U units of a parameter (its first dimension), the others broadcast.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from timm.utils import dispatch_clip_grad
from torch import Tensor, nn

from lsbench.engine.training_spec import Clip

#: Least norm of a unit's weights, and of its gradient, as in timm.
LEAST_WEIGHT, LEAST_GRADIENT = 1e-3, 1e-6


def clip_gradients(parameters: Iterable[nn.Parameter], clip: Clip) -> None:
    """Clip the gradients of `parameters` in place."""
    if clip.mode == "agc":
        clip_adaptively(parameters, clip.value)
    else:
        dispatch_clip_grad(parameters, clip.value, mode=clip.mode)


@torch.no_grad()
def clip_adaptively(parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Scale down each unit's gradient whose norm exceeds `factor` times the norm of the unit's weights.

    Equals timm's ``adaptive_clip_grad``, which makes thirteen operator calls for each parameter. A unit is an
    output channel; a parameter of one dimension or none is one unit.

    Args:
        parameters: Those without a gradient are left out.
        factor: The ratio of the norms.

    Source:
        Brock et al., 2021, arXiv:2102.06171.
    """
    used = [parameter for parameter in parameters if parameter.grad is not None]
    if not used:
        return
    flat: list[Tensor] = [parameter for parameter in used if parameter.ndim <= 1]
    wide: list[Tensor] = [parameter for parameter in used if parameter.ndim > 1]
    gradients = [parameter.grad for parameter in flat + wide if parameter.grad is not None]
    allowed = _unit_norms(flat, wide)
    torch._foreach_clamp_min_(allowed, LEAST_WEIGHT)
    torch._foreach_mul_(allowed, factor)
    found = _unit_norms(gradients[: len(flat)], gradients[len(flat) :])
    # A gradient below what is allowed stays: its scale is 1 even where the least norm would shrink it.
    torch._foreach_clamp_min_(found, min(LEAST_GRADIENT, LEAST_WEIGHT * factor))
    torch._foreach_div_(allowed, found)
    torch._foreach_clamp_max_(allowed, 1.0)
    torch._foreach_mul_(gradients, allowed)


def _unit_norms(flat: list[Tensor], wide: list[Tensor]) -> list[Tensor]:
    """Return the norms of units: shape ``()`` for each of `flat`, ``(U, 1, ...)`` for each of `wide`."""
    whole = torch._foreach_norm(flat) if flat else ()
    return [*whole] + [
        torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.ndim)), keepdim=True) for tensor in wide
    ]
