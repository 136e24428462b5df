"""A model as a program that runs without its code: torch's exported program (pt2) and ONNX.

Both are traced by ``torch.export`` in evaluation mode, for one size or for any. Own operators, such as SKA,
are replaced by plain ones that compute the same, since a reader without lsbench does not know them.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import decomposition_table
from torch.export import ExportedProgram
from torch.fx.experimental import _config

from lsbench.core.errors import ConfigError, UsageError
from lsbench.core.garbage import no_garbage_collection
from lsbench.models.onnx_form import rewrite
from lsbench.models.open_layout import LaidOut

#: Operators that every torch knows, by the part before ``::``.
OF_TORCH = frozenset({"aten", "prim", "prims", "higher_order", "quantized", "_c10d_functional"})
#: The version of ONNX's operators: torch's exporter is made for it, and onnxruntime from 1.14 (2023) runs it.
OPSET = 18
INPUT, OUTPUT = "images", "logits"
#: A file of protobuf holds no more.
MOST_ONNX_BYTES = 2**31 - 2**20
#: The axes of images that are open in a program for any size.
OPEN_AXES = (0, 2, 3)
#: Half of the least side of the images that such a program is traced with: where a model asks whether a map
#: has a side of one pixel, the answer for larger images is the more useful.
LEAST_TRACED = 128
INSTALL_ONNX = '--to onnx: expected the packages {}, found none; pip install "lsbench[onnx]"'


def trace(model: nn.Module, images: Tensor, *, name: str, any_size: bool = False) -> ExportedProgram:
    """Return the program of a model, in operators that every torch knows.

    Args:
        model: In evaluation mode.
        images: Shape (B, C, H, W).
        name: Its name, for messages.
        any_size: Whether the program takes images of any number, height and width, not those of `images`
            alone.

    Raises:
        ConfigError: If the model cannot be traced, or has an operator without a plain form.
    """
    model.requires_grad_(False)
    shapes = None
    if any_size:
        images, shapes = _larger(images), (dict.fromkeys(OPEN_AXES, torch.export.Dim.DYNAMIC),)
    try:
        oblivious = _config.patch(backed_size_oblivious=any_size)  # type: ignore[attr-defined, unused-ignore]
        with exporting(), torch.no_grad(), oblivious:
            with LaidOut() if any_size else nullcontext():
                program: ExportedProgram = torch.export.export(model, (images,), dynamic_shapes=shapes)
            program = program.run_decompositions(_plain_forms())
    except Exception as error:  # the tracer raises what it likes
        how = " for images of any size" if any_size else ""
        raise ConfigError(
            f"{name}: torch.export cannot trace this model{how}: {_first_line(error)}"
        ) from error
    if foreign := _foreign_operators(program):
        raise ConfigError(
            f"{name}: expected operators of torch, found {', '.join(foreign)}; register their plain form "
            "with torch._decomp.register_decomposition"
        )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def _larger(images: Tensor) -> Tensor:
    """Return images whose number, height and width are not 1 and differ, so that they are told apart."""
    height, width = (2 * max(side, LEAST_TRACED) for side in images.shape[2:])
    return images.new_zeros(2, images.shape[1], height, width + LEAST_TRACED)


def _plain_forms() -> dict[Any, Any]:
    """Return the plain forms of all operators that are not torch's own."""
    return {
        operator: form
        for operator, form in decomposition_table.items()
        if getattr(operator, "namespace", "aten") not in OF_TORCH
    }


def _foreign_operators(program: ExportedProgram) -> list[str]:
    called = {node.target for node in program.graph.nodes if node.op == "call_function"}
    return sorted(
        f"{operator.namespace}::{operator._opname}"
        for operator in called
        if isinstance(operator, torch._ops.OpOverload) and operator.namespace not in OF_TORCH
    )


def to_pt2(program: ExportedProgram) -> bytes:
    """Return a program as a file of ``torch.export.save``."""
    file = io.BytesIO()
    with exporting():
        torch.export.save(program, file)
    return file.getvalue()


def to_onnx(program: ExportedProgram, *, name: str) -> bytes:
    """Return a program as an ONNX file, made by torch's exporter for :data:`OPSET`.

    Raises:
        UsageError: If a package that it needs is not installed.
        ConfigError: If ONNX cannot express it, or it is too large for one file.
    """
    check_onnx_packages()
    if (size := sum(tensor.nbytes for tensor in program.state_dict.values())) > MOST_ONNX_BYTES:
        raise ConfigError(
            f"{name}: an ONNX file holds 2 GiB, the weights take {size / 2**30:.1f}; use --to pt2"
        )
    file = io.BytesIO()
    try:
        with exporting():
            made: Any = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
            rewrite(made.model)
            made.save(file)
    except Exception as error:  # the exporter raises what it likes
        raise ConfigError(f"{name}: cannot be written as ONNX: {_first_line(error)}") from error
    return file.getvalue()


def check_onnx_packages() -> None:
    """Raise a UsageError if a package that writes ONNX is not installed."""
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise UsageError(INSTALL_ONNX.format(" and ".join(missing)))


def run_pt2(content: bytes, images: Tensor) -> Tensor:
    """Return what a file of :func:`to_pt2` gives for images.

    Raises:
        ConfigError: If it refuses images of their size, as the program of a model that branches on it does.
    """
    with exporting(), torch.no_grad():
        program = torch.export.load(io.BytesIO(content)).module()
        try:
            logits: Tensor = program(images)
        except AssertionError as error:
            height, width = images.shape[2:]
            raise ConfigError(
                f"the program of torch.export refuses images of {height}x{width} pixels "
                f"({_first_line(error)}); use --to onnx, or larger images"
            ) from error
    return logits


def run_onnx(content: bytes, images: Tensor) -> Tensor:
    """Return what onnxruntime gives for images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {INPUT: images.numpy()})
    return torch.from_numpy(logits)


@contextmanager
def exporting() -> Iterator[None]:
    """Silence what exporters say about their own code, and collect no garbage, of which they make little."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), no_garbage_collection():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
