"""torch.compile: the model's own code, compiled on its first pass for one shape of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._torch_code import PRECISIONS, as_tensor, placed, torch_version

if TYPE_CHECKING:
    from torch import nn


def load(model: nn.Module, form: Form) -> nn.Module:
    """Return the model to be compiled on its first pass."""
    import torch

    compiled: Any = torch.compile(placed(model, form), dynamic=False)
    return compiled  # type: ignore[no-any-return]


RUNTIME = Runtime(load, PRECISIONS, torch_version, needs_compiler=True, takes=as_tensor)
