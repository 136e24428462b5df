"""PyTorch as it is: the model's own code, with packed weights if it is fused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._torch_code import PRECISIONS, as_tensor, placed, torch_version

if TYPE_CHECKING:
    from torch import nn


def load(model: nn.Module, form: Form) -> nn.Module:
    """Return the model in its form; of a fused one the weights are laid out for the CPU once."""
    from lsbench.models.packed_conv import pack

    made = placed(model, form)
    return pack(made) if getattr(model, "is_fused", False) else made


RUNTIME = Runtime(load, PRECISIONS, torch_version, takes=as_tensor)
