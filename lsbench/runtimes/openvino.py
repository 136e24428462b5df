"""OpenVINO, on a CPU; it reads the ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsbench.core.env import package_version
from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._onnx_files import FILE, QUANTISER, WRITERS, write

if TYPE_CHECKING:
    from torch import Tensor

    from lsbench.runtimes import Run

#: Precision -> OpenVINO's word for what is computed in; int8 is in the file itself.
HINTS = {"fp32": "f32", "int8": "f32", "bf16": "bf16", "fp16": "f16"}
#: Precision -> OpenVINO's word for what a CPU can do.
CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


def version() -> str:
    """Return the version of OpenVINO, without importing it."""
    return package_version("openvino") or "unknown"


def load(folder: Path, form: Form) -> Run:
    """Return the function of the program in a folder, optimised for the time of single passes.

    Raises:
        RuntimeError: If the CPU would compute in another precision.
    """
    import openvino
    import torch

    hint = HINTS[form.precision]
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(form.threads),
        # Two processes would be pinned to the same core.
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_PRECISION_HINT": hint,
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(folder / FILE)), "CPU", options)
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != hint:
        raise RuntimeError(f"this CPU computes in {used}, not in {hint}; choose another precision")
    request = compiled.create_infer_request()

    def run(images: Tensor) -> Tensor:
        found = request.infer([openvino.Tensor(images.numpy(), shared_memory=True)])
        return torch.from_numpy(found[0])

    return run


def lacks(form: Form) -> str | None:
    """Return in words what the CPU cannot do, or None."""
    if form.precision in CAPABILITIES:
        import openvino

        can = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if CAPABILITIES[form.precision] not in can:
            return f"this CPU cannot compute in {form.precision}; choose another precision"
    return None


RUNTIME = Runtime(
    load,
    {"cpu": tuple(HINTS)},
    version,
    write=write,
    packages=("openvino", *WRITERS),
    quantising=(QUANTISER,),
    install="lsbench[openvino]",
    quantisations=("static",),
    optimisation="latency",
    lacks=lacks,
)
