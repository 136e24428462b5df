"""The verb ``export``: write one model as ONNX, as an exported program, or as weights for timm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.one_model import (
    CheckpointOpt,
    EmaOpt,
    MixerOpt,
    ModelOrJobArg,
    PretrainedOpt,
    TaskOpt,
    WholeTask,
    check_model,
    chosen_weights,
    find_training_of,
    refuse_options,
)
from lsbench.cli.options import RESULTS, DataOpt, JsonOpt, PresetOfJobOpt, ResultsOpt, SuiteOfJobOpt
from lsbench.cli.output import Output
from lsbench.core.destination import is_file_to_be
from lsbench.core.errors import UsageError

if TYPE_CHECKING:
    from lsbench.export.formats import Exported
    from lsbench.export.subject import ModelToExport
    from lsbench.tables.one_job import OneJob


class Format(StrEnum):
    """The formats of an exported model; each is the suffix of its files."""

    onnx = "onnx"
    pt2 = "pt2"
    safetensors = "safetensors"
    pth = "pth"


def export(
    model: ModelOrJobArg,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write; its suffix is a format.")],
    to: Annotated[
        Format | None,
        typer.Option(
            "--to",
            help="onnx: runs in onnxruntime; pt2: torch's exported program; safetensors: weights that "
            "`timm.create_model(..., checkpoint_path=FILE)` loads, or a detector's or segmenter's under our "
            "names; pth: a detector's or segmenter's as its authors' programs load them. Default: the suffix "
            "of FILE.",
        ),
    ] = None,
    checkpoint: CheckpointOpt = None,
    is_pretrained: PretrainedOpt = False,
    is_ema: EmaOpt = False,
    mixer: MixerOpt = None,
    task: TaskOpt = None,
    img_size: Annotated[
        int | None, typer.Option(min=8, metavar="PX", help="Image size; default: 224, or the training's.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Classes; default: 1000, or the training's.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Images per pass of a program.")] = 1,
    any_size: Annotated[
        bool,
        typer.Option("--any-size", help="A program for images of any number, height and width."),
    ] = False,
    is_fused: Annotated[
        bool | None,
        typer.Option("--fused/--plain", help="Fuse the model first. Default: programs yes, weights no."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="X", help="Largest difference, as a part of the largest output; default: 1e-4."
        ),
    ] = None,
    data: DataOpt = None,
    results: ResultsOpt = RESULTS,
    suite: SuiteOfJobOpt = None,
    preset: PresetOfJobOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Write one model, or a training of a suite, to a file, compare the two, and write FILE.md, a model card.

    Programs (onnx, pt2) take images of one size, or of --any-size, and need no lsbench to run.
    """
    kind, targets = _format(file, to), _targets(file)
    for target in targets:
        target.check()
    if any_size and batch_size != 1:
        raise UsageError("--batch-size: not with --any-size, whose programs take any number of images")
    training = find_training_of(model, results, suite, preset, with_wholes=True)
    from lsbench.export.card import write_card
    from lsbench.export.formats import export as export_subject
    from lsbench.export.numbers import known_numbers
    from lsbench.models.programs import check_onnx_packages

    if kind is Format.onnx:
        check_onnx_packages()
    given: dict[str, Any] = {"--checkpoint": checkpoint, "--pretrained": is_pretrained}
    given |= {"--mixer": mixer, "--task": task}
    given |= {"--img-size": img_size, "--num-classes": num_classes}
    if training is not None:
        refuse_options(model, given)
        subject = _of_training(training, is_ema=is_ema, data=data)
    else:
        check_model(model, mixer)
        if is_ema:
            raise UsageError(f"--ema: {model} is a model; only a training has a moving average")
        subject = _of_model(model, task, given)
    exported = export_subject(
        subject, kind, is_fused=is_fused, batch_size=batch_size, any_size=any_size, tolerance=tolerance
    )
    text = write_card(subject, exported, Path(file).name, known_numbers(subject))
    targets[0].write(exported.content, what=kind)
    for card in targets[1:]:
        card.write(text, what="model card")
    _tell(subject, exported, file, as_json=as_json, is_stdout=targets[0].is_stdout)


def _of_training(training: OneJob, *, is_ema: bool, data: Path | None) -> ModelToExport:
    from lsbench.export.downstream import is_whole, subject_of_whole_training
    from lsbench.export.subject import subject_of_training

    create = subject_of_whole_training if is_whole(training) else subject_of_training
    return create(training, is_ema=is_ema, data_root=data)


def _of_model(model: str, task: WholeTask | None, given: Mapping[str, Any]) -> ModelToExport:
    """Return a model, or the detector or segmenter on it."""
    from lsbench.export.downstream import subject_of_whole
    from lsbench.export.subject import subject_of_model

    checkpoint, mixer = given["--checkpoint"], given["--mixer"]
    num_classes, img_size = given["--num-classes"], given["--img-size"]
    if task is None:
        _, source = chosen_weights(checkpoint, is_pretrained=given["--pretrained"])
        return subject_of_model(
            model, mixer=mixer, source=source, num_classes=num_classes or 1000, img_size=img_size or 224
        )
    if given["--pretrained"]:
        raise UsageError("--pretrained: not with --task; give all weights as --checkpoint FILE")
    return subject_of_whole(
        task.value,
        model,
        mixer=mixer,
        checkpoint=checkpoint,
        num_classes=num_classes,
        img_size=img_size,
    )


def _targets(file: str) -> list[Output]:
    """Return where the model goes and, if that is a file, where its card goes."""
    target = Output(file, "FILE")
    has_card = not target.is_stdout and is_file_to_be(Path(file))
    return [target, Output(f"{file}.md", "FILE.md")] if has_card else [target]


def _format(file: str, to: Format | None) -> Format:
    suffix = Path(file).suffix.removeprefix(".").lower()
    of_suffix = Format(suffix) if suffix in Format.__members__ else None
    if to is None and of_suffix is None:
        raise UsageError(f"FILE {file}: expected --to, or one of the suffixes .{', .'.join(Format)}")
    if to is not None and of_suffix not in (None, to):
        raise UsageError(f"FILE {file}: .{suffix} is the suffix of {of_suffix}, and --to is {to}; change one")
    return to or Format(suffix)


def _tell(subject: ModelToExport, exported: Exported, file: str, *, as_json: bool, is_stdout: bool) -> None:
    """Print what was written and how it was checked; beside a file on stdout, on stderr."""
    check = exported.check
    if as_json:
        told = {"model": subject.title, "file": file, "to": exported.kind, "fused": exported.is_fused}
        told |= {"bytes": len(exported.content), "shape": exported.shape, "weights": subject.weights}
        told |= {"check": None if check is None else vars(check)}
        typer.echo(json.dumps(told), err=is_stdout)
        return
    typer.echo(f"{subject.title}: weights are {subject.weights}", err=is_stdout)
    why = 'not checked: onnxruntime is not installed; pip install "lsbench[onnx]"'
    typer.echo(f"checked: {check}" if check else why, err=is_stdout)
