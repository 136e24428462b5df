"""ONNX Runtime, on a CPU or on a GPU through CUDA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._onnx_files import WRITERS, write
from lsbench.runtimes._sessions import as_input, lacks_provider, open_session, version

if TYPE_CHECKING:
    from lsbench.runtimes import Run

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def load(folder: Path, form: Form) -> Run:
    """Return the function of a session on the device."""
    return open_session(folder, form, [(PROVIDERS[form.device], {})])


def lacks(form: Form) -> str | None:
    """Return in words that the installed build is not for the device, or None."""
    return lacks_provider(PROVIDERS[form.device]) if form.device == "cuda" else None


RUNTIME = Runtime(
    load,
    {"cpu": ("fp32", "int8"), "cuda": ("fp32", "int8")},
    version,
    write=write,
    packages=("onnxruntime", *WRITERS),
    install="lsbench[onnxruntime]",
    optimisation="all",
    takes=as_input,
    lacks=lacks,
)
