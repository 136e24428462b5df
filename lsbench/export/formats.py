"""The formats of an exported model: written, loaded again, and compared with the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn

from lsbench.core.env import package_version
from lsbench.core.errors import ConfigError, UsageError
from lsbench.export.downstream import WRITERS, WholeToExport, checked_shape, read_back, run_whole
from lsbench.export.subject import ModelToExport
from lsbench.export.weights_file import load_in_timm, to_safetensors
from lsbench.models import programs
from lsbench.models.downstream.model import DownstreamModel
from lsbench.models.fusion import fuse

#: Format -> suffix of its files.
SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "safetensors": ".safetensors", "pth": ".pth"}
#: Formats that hold a program, and not the weights alone.
PROGRAMS = ("onnx", "pt2")
#: Largest difference of two outputs, as a part of the largest output.
TOLERANCE = 1e-4
#: Passes with random images that are compared.
PASSES = 4
#: What is added to number, height and width of the images in the passes of a program for any size.
OTHER_SIZES = ((0, 0, 0), (1, 32, 32), (2, 0, 64), (0, 45, 7), (1, 13, 96))

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Check:
    """The comparison of a file with its model.

    Attributes:
        reader: What loaded the file, with its version.
        difference: Largest difference of an output, as a part of the largest output.
        tolerance: The largest one allowed.
        images: Images compared.
    """

    reader: str
    difference: float
    tolerance: float
    images: int

    def __str__(self) -> str:
        """Return the comparison in words."""
        return (
            f"loaded in {self.reader}, outputs of {self.images} random images differ from the model's by at "
            f"most {self.difference:.1e} of the largest output; {self.tolerance:.0e} is allowed"
        )


@dataclass(frozen=True)
class Exported:
    """A model as a file.

    Attributes:
        content: The file.
        kind: Its format.
        is_fused: Whether it holds the fused model.
        shape: Shape of the images that a program takes, None where it takes any; None for weights.
        check: None if nothing is installed that could load the file.
        arguments: The arguments of ``timm.create_model`` that load weights.
    """

    content: bytes
    kind: str
    is_fused: bool
    shape: tuple[int | None, ...] | None
    check: Check | None
    arguments: dict[str, Any]


def export(
    subject: ModelToExport,
    kind: str,
    *,
    is_fused: bool | None = None,
    batch_size: int = 1,
    any_size: bool = False,
    tolerance: float | None = None,
) -> Exported:
    """Return a model as a file whose outputs were compared with the model's.

    Args:
        subject: The model.
        kind: ``onnx``, ``pt2`` or ``safetensors``; of detectors and segmenters ``pth`` or ``safetensors``.
        is_fused: Whether to fuse the model first; None: yes for programs, never for weights.
        batch_size: Images per pass of a program.
        any_size: Whether a program takes images of any number, height and width.
        tolerance: Largest difference of outputs, as a part of the largest output; None: :data:`TOLERANCE`.

    Raises:
        UsageError: If weights should be fused, or be of any size, or the format is not one of such models.
        ConfigError: If the format cannot hold the model, or the outputs differ.
    """
    tolerance = TOLERANCE if tolerance is None else tolerance
    if isinstance(subject, WholeToExport):
        return _whole(subject, kind, tolerance, is_fused=bool(is_fused), any_size=any_size)
    if kind == "pth":
        raise UsageError("--to pth: is the authors' layout of detectors and segmenters; use safetensors")
    if kind == "safetensors":
        if is_fused:
            raise UsageError(
                "--fused: a fused model has other weights than timm's; leave it out, or use --to pt2"
            )
        if any_size:
            raise UsageError("--any-size: weights have no size; leave it out, or use --to onnx or pt2")
        return _weights(subject, tolerance)
    if kind == "onnx":
        programs.check_onnx_packages()
    is_fused = is_fused is not False
    model = fuse(subject.model) if is_fused else subject.model
    shape = (batch_size, 3, subject.img_size, subject.img_size)
    program = programs.trace(model, _images(shape, 0), name=subject.title, any_size=any_size)
    shapes = _other_shapes(shape) if any_size else [shape] * PASSES
    if kind == "pt2":
        content = programs.to_pt2(program)
        check = _compared(
            subject, lambda images: programs.run_pt2(content, images), shapes, "torch", tolerance
        )
    else:
        content = programs.to_onnx(program, name=subject.title)
        check = None
        if find_spec("onnxruntime") is not None:
            check = _compared(
                subject, lambda images: programs.run_onnx(content, images), shapes, "onnxruntime", tolerance
            )
    taken = (None, 3, None, None) if any_size else shape
    return Exported(content, kind, is_fused, taken, check, {})


def _other_shapes(shape: Shape) -> list[Shape]:
    batch, channels, height, width = shape
    return [(batch + more, channels, height + taller, width + wider) for more, taller, wider in OTHER_SIZES]


def _weights(subject: ModelToExport, tolerance: float) -> Exported:
    content = to_safetensors(subject)
    try:
        model, arguments = load_in_timm(content, subject)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"{subject.title}: timm cannot load its weights: {error}") from error
    shape = (1, 3, subject.img_size, subject.img_size)
    check = _compared(subject, lambda images: _run(model, images), [shape] * PASSES, "timm", tolerance)
    return Exported(content, "safetensors", False, None, check, arguments)


def _whole(
    subject: WholeToExport, kind: str, tolerance: float, *, is_fused: bool, any_size: bool
) -> Exported:
    """Return the weights of a detector or segmenter, in the authors' layout or ours."""
    if kind not in WRITERS:
        raise UsageError(
            f"--to {kind}: {subject.title} is written as weights; use pth (the authors' layout) or "
            "safetensors (ours)"
        )
    if is_fused:
        raise UsageError("--fused: a fused model has other weights than a training loads; leave it out")
    if any_size:
        raise UsageError("--any-size: weights have no size; leave it out")
    content = WRITERS[kind](subject)
    model = read_back(content, subject)
    shapes = [checked_shape(subject)] * PASSES
    check = _compared(subject, lambda images: run_whole(model, images), shapes, "lsbench", tolerance)
    return Exported(content, kind, False, None, check, {})


def _compared(
    subject: ModelToExport,
    run: Callable[[Tensor], Tensor],
    shapes: Sequence[Shape],
    reader: str,
    tolerance: float,
) -> Check:
    """Return the comparison of a loaded file with its model.

    Raises:
        ConfigError: If outputs differ by more than the tolerance, or are no numbers.
    """
    largest = 0.0
    for number, shape in enumerate(shapes):
        images = _images(shape, number)
        expected, found = _outputs(subject, images), run(images)
        if not expected.isfinite().all():
            raise ConfigError(f"{subject.title}: the model gives NaN or infinity for random images")
        scale = float(expected.abs().max()) or 1.0
        difference = float((found - expected).abs().max()) / scale
        largest = max(largest, difference if difference == difference else float("inf"))  # noqa: PLR0124 - NaN
    check = Check(
        f"{reader} {package_version(reader)}", largest, tolerance, sum(shape[0] for shape in shapes)
    )
    if largest > tolerance:
        raise ConfigError(f"{subject.title}: {check}; nothing is written; --tolerance X allows more")
    return check


def _images(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _outputs(subject: ModelToExport, images: Tensor) -> Tensor:
    if isinstance(subject, WholeToExport):
        return run_whole(cast(DownstreamModel, subject.model), images)
    return _run(subject.model, images)


def _run(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(images)
    return logits
