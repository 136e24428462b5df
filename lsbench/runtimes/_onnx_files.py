"""A model as an ONNX file, in float32 or quantised to int8, for the runtimes that read it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.ids import content_hash
from lsbench.core.kept_bytes import kept_bytes
from lsbench.runtimes import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.export import ExportedProgram

FILE = "model.onnx"
#: The modules that write a file.
WRITERS = ("onnx", "onnxscript")
#: The module that quantises.
QUANTISER = "onnxruntime"


def write(
    model: nn.Module, images: Tensor, form: Form, calibration: Tensor | None, folder: Path
) -> dict[str, float]:
    """Write the ONNX file of a model for batches like `images`, quantised if the form says so.

    With static quantisation the file holds pairs of QuantizeLinear and DequantizeLinear around every operator
    that can run in int8. Weights are quantised by channel, symmetrically, and the range of each activation
    is from its least to its largest value over the calibration images. With dynamic quantisation
    convolutions and matrix products find the ranges of their inputs in each pass, and weights have one range.
    """
    from lsbench.models.programs import to_onnx, trace

    started = time.perf_counter()
    program = trace(model, images.float(), name="the model")
    traced = time.perf_counter() - started
    # Rows, precisions and runtimes of a suite share programs, and conversion takes longer than tracing.
    content, converted = kept_bytes("onnx", _digest(program), lambda: to_onnx(program, name="the model"))
    (folder / FILE).write_bytes(content)
    seconds = {"export": traced + converted}
    if form.precision == "int8":
        written = time.perf_counter()
        _quantise(folder, len(images), form, calibration)
        seconds["quantise"] = time.perf_counter() - written
    return seconds


def _digest(program: ExportedProgram) -> str:
    """Return a digest of all that a program's ONNX file depends on: operators, weights and exporters."""
    import torch

    from lsbench.models import onnx_form, programs
    from lsbench.models.weights_digest import weights_sha256

    versions = [version(name) for name in ("torch", "onnx-ir", *WRITERS)]
    code = [inspect.getsource(module) for module in (programs, onnx_form)]
    values = {**program.state_dict, **program.constants}
    tensors = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    others = {name: repr(value) for name, value in values.items() if name not in tensors}
    return content_hash([versions, code, str(program), weights_sha256(tensors), others], length=64)


def _quantise(folder: Path, batch_size: int, form: Form, calibration: Tensor | None) -> None:
    """Replace the file in a folder by its quantised one."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from lsbench.models.programs import exporting

    plain, file = folder / "plain.onnx", folder / FILE
    with exporting():
        quant_pre_process(str(file), str(plain), skip_symbolic_shape=True)
        if form.quantisation == "dynamic":
            # Convolutions with signed weights have no kernel that finds ranges anew.
            quantization.quantize_dynamic(
                plain, file, per_channel=False, weight_type=quantization.QuantType.QUInt8
            )
        elif calibration is not None:
            quantization.quantize_static(
                plain,
                file,
                _batches(calibration, batch_size),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
    plain.unlink()


def _batches(images: Tensor, size: int) -> Any:
    """Return a reader of calibration images in batches; the last one is filled up with the first images."""
    from onnxruntime.quantization import CalibrationDataReader

    from lsbench.models.programs import INPUT

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self._left = _in_batches(images, size)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._left, None)
            return None if batch is None else {INPUT: batch}

    return Batches()


def _in_batches(images: Tensor, size: int) -> Iterator[NDArray[np.float32]]:
    import torch

    for start in range(0, len(images), size):
        places = torch.arange(start, start + size) % len(images)
        yield images[places].float().numpy()
