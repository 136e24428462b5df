"""Parts shared by runtimes that run a model's own code, or what torch's compiler makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsbench.core.env import package_version

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from lsbench.runtimes import Form

#: What torch computes in, on a CPU and on a GPU.
PRECISIONS = dict.fromkeys(("cpu", "cuda"), ("fp32", "bf16", "fp16"))


def torch_version() -> str:
    """Return torch's version."""
    return package_version("torch") or "unknown"


def as_tensor(images: Tensor, form: Form) -> Tensor:
    """Return images in the dtype and memory layout of a form, on its device."""
    import torch

    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    return images.to(device=form.device, dtype=_dtype(form)).contiguous(memory_format=layout)


def placed(model: nn.Module, form: Form) -> nn.Module:
    """Return a model in the dtype and memory layout of a form, on its device."""
    import torch

    made = model.to(device=form.device, dtype=_dtype(form))
    return made.to(memory_format=torch.channels_last) if form.channels_last else made


def _dtype(form: Form) -> torch.dtype:
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[form.precision]
