"""TensorRT, through ONNX Runtime's execution provider for it; on GPUs alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._onnx_files import WRITERS, write
from lsbench.runtimes._sessions import as_input, lacks_provider, open_session, version

if TYPE_CHECKING:
    from lsbench.runtimes import Run

PROVIDER = "TensorrtExecutionProvider"
#: Precision -> the options that allow it.
OPTIONS = {
    "fp32": {},
    "fp16": {"trt_fp16_enable": "1"},
    "bf16": {"trt_bf16_enable": "1"},
    "int8": {"trt_int8_enable": "1"},
}


def load(folder: Path, form: Form) -> Run:
    """Return the function of a session whose engine TensorRT builds; CUDA takes what TensorRT cannot."""
    return open_session(folder, form, [(PROVIDER, OPTIONS[form.precision]), ("CUDAExecutionProvider", {})])


def lacks(form: Form) -> str | None:
    """Return in words that the installed build knows no TensorRT, or None."""
    return lacks_provider(PROVIDER)


RUNTIME = Runtime(
    load,
    {"cuda": tuple(OPTIONS)},
    version,
    write=write,
    packages=("onnxruntime", *WRITERS),
    install="lsbench[onnxruntime]",
    quantisations=("static",),
    optimisation="tensorrt",
    takes=as_input,
    lacks=lacks,
)
