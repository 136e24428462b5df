"""Sessions of ONNX Runtime on one of its execution providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.env import package_version
from lsbench.runtimes import Form
from lsbench.runtimes._onnx_files import FILE

if TYPE_CHECKING:
    from torch import Tensor

    from lsbench.runtimes import Run

Providers = Sequence[tuple[str, Mapping[str, str]]]
#: Packages that bring the module ``onnxruntime``, for CPUs and for GPUs.
PACKAGES = ("onnxruntime", "onnxruntime-gpu")


def version() -> str:
    """Return the version of ONNX Runtime, without importing it."""
    found = [known for name in PACKAGES if (known := package_version(name))]
    return found[0] if found else "unknown"


def lacks_provider(name: str) -> str | None:
    """Return in words that the installed ONNX Runtime lacks an execution provider, or None."""
    import onnxruntime

    if name in onnxruntime.get_available_providers():
        return None
    return (
        f"the installed onnxruntime has no {name}; install a build for GPUs (pip install onnxruntime-gpu, in "
        "place of onnxruntime), or set `num_gpus: 0`"
    )


def open_session(folder: Path, form: Form, providers: Providers) -> Run:
    """Return the function of the program in a folder, with all graph optimisations.

    On a GPU, images are there already, and logits stay there.

    Raises:
        RuntimeError: If the session does not use the first of the providers.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads, options.inter_op_num_threads = form.threads, 1
    session = onnxruntime.InferenceSession(
        str(folder / FILE), options, providers=[(name, dict(own)) for name, own in providers]
    )
    wanted, found = providers[0][0], session.get_providers()
    if found[0] != wanted:
        raise RuntimeError(f"onnxruntime did not take {wanted} for the model, but {', '.join(found)}")
    return _on_gpu(session) if form.device == "cuda" else _on_cpu(session)


def _on_cpu(session: Any) -> Run:
    import torch

    from lsbench.models.programs import INPUT

    def run(images: Tensor) -> Tensor:
        (logits,) = session.run(None, {INPUT: images.numpy()})
        return torch.from_numpy(logits)

    return run


def _on_gpu(session: Any) -> Run:
    import numpy as np
    import torch

    from lsbench.models.programs import INPUT, OUTPUT

    def run(images: Tensor) -> Tensor:
        binding = session.io_binding()
        binding.bind_input(INPUT, "cuda", 0, np.float32, tuple(images.shape), images.data_ptr())
        shape = (len(images), session.get_outputs()[0].shape[1])
        logits = torch.empty(shape, dtype=torch.float32, device=images.device)
        binding.bind_output(OUTPUT, "cuda", 0, np.float32, shape, logits.data_ptr())
        session.run_with_iobinding(binding)
        return logits

    return run


def as_input(images: Tensor, form: Form) -> Tensor:
    """Return images in float32 on the device of a form."""
    return images.float().to(form.device).contiguous()
