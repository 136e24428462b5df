"""AOTInductor: the exported program, compiled ahead of time to a library that runs without Python."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lsbench.runtimes import Form, Runtime
from lsbench.runtimes._torch_code import PRECISIONS, as_tensor, placed, torch_version

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lsbench.runtimes import Run

FILE = "model.pt2"


def write(
    model: nn.Module, images: Tensor, form: Form, calibration: Tensor | None, folder: Path
) -> dict[str, float]:
    """Write the compiled program of a model for batches like `images`; calibration is not used."""
    import torch._inductor

    from lsbench.models.programs import exporting, trace

    started = time.perf_counter()
    program = trace(placed(model, form), as_tensor(images, form), name="the model")
    traced = time.perf_counter()
    with exporting():
        torch._inductor.aoti_compile_and_package(program, package_path=str(folder / FILE))
    return {"export": traced - started, "compile": time.perf_counter() - traced}


def load(folder: Path, form: Form) -> Run:
    """Return the function of the compiled library."""
    import torch._inductor

    run: Run = torch._inductor.aoti_load_package(str(folder / FILE))
    return run


RUNTIME = Runtime(
    load,
    PRECISIONS,
    torch_version,
    write=write,
    needs_compiler=True,
    optimisation="inductor",
    takes=as_tensor,
)
