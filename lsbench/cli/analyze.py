"""The verb ``analyze``: analyze one model without a suite."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.completion import of
from lsbench.cli.one_model import (
    CheckpointOpt,
    Device,
    MixerOpt,
    ModelOrJobArg,
    PretrainedOpt,
    ThreadsOpt,
    check_model,
    chosen_weights,
    data_root_of,
    find_training_of,
    progress_bar,
    read_dataset,
    refuse_options,
    run_alone,
    settle_process,
)
from lsbench.cli.options import RESULTS, DataOpt, JsonOpt, PresetOfJobOpt, ResultsOpt, SuiteOfJobOpt
from lsbench.cli.output import refuse_address
from lsbench.core.errors import UsageError
from lsbench.core.model_sources import row_name
from lsbench.core.quantity import quantity
from lsbench.core.registry import ANALYSES
from lsbench.rendering.pictures import FORMATS

if TYPE_CHECKING:
    from lsbench.core.record import Record
    from lsbench.core.tasks import Task
    from lsbench.tables.one_job import OneJob

#: Image count of an analysis.
IMAGES = 50
#: Side of the images of classifiers, in pixels.
IMG_SIZE = 224
#: Data sets for weights of no file, and for those of a file.
USUAL_DATA: dict[Task, str] = {
    "classification": "fashion_scenes",
    "detection": "fashion_coco",
    "segmentation": "fashion_ade",
}
OF_CHECKPOINTS: dict[Task, str] = {
    "classification": "fashion_scenes",
    "detection": "coco",
    "segmentation": "ade20k",
}


class Detector(StrEnum):
    """The kinds of detectors."""

    retinanet = "retinanet"
    maskrcnn = "maskrcnn"


def analyze(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="See `lsbench list analyses`.", autocompletion=of("ANALYSES")),
    ],
    model: ModelOrJobArg,
    mixer: MixerOpt = None,
    checkpoint: CheckpointOpt = None,
    is_pretrained: PretrainedOpt = False,
    images: Annotated[
        str,
        typer.Option(
            metavar="N|DIR|NAMES",
            help="Image count. Of a detector or segmenter also a folder of images, or names, with commas.",
        ),
    ] = str(IMAGES),
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Data set of the images, or of the classes of a detector or segmenter. Default: "
            "fashion_scenes, fashion_coco or fashion_ade; of their --checkpoint coco or ade20k.",
            autocompletion=of("DATASETS"),
        ),
    ] = None,
    data: DataOpt = None,
    img_size: Annotated[
        int | None,
        typer.Option(
            min=8, metavar="PX", help="Image size in pixels; default: 224, of other tasks the data set's."
        ),
    ] = None,
    detector: Annotated[
        Detector, typer.Option("--detector", help="Kind of a detector that no job has trained.")
    ] = Detector.maskrcnn,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Batch size.")] = 10,
    threads: ThreadsOpt = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for arrays and picture.")
    ] = Path("."),
    results: ResultsOpt = RESULTS,
    suite: SuiteOfJobOpt = None,
    preset: PresetOfJobOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Analyze one model: write KIND.npz and a picture (PDF, SVG, PNG), and print the numbers.

    A detector or segmenter is that of a JOB, or a MODEL with --checkpoint. To analyze all variants of a
    suite, add the job `analyze` to it.
    """
    if message := ANALYSES.problem(kind):
        raise UsageError(message)
    settings = {"kind": kind, "batch_size": batch_size, **_images(kind, images)}
    training = find_training_of(model, results, suite, preset, with_wholes=True)
    given = {"--checkpoint": checkpoint, "--pretrained": is_pretrained, "--mixer": mixer}
    needs: dict[str, Path] = {}
    if training is not None:
        refuse_options(model, {**given, "--img-size": img_size})
        settings |= _of_training(kind, training, dataset)
        label = None if training.known.job is None else training.known.job.variant.label
        variant = {"name": training.variant, "label": label, **training.model}
        needs, data = {training.known.label: training.path}, data or data_root_of(training)
    else:
        check_model(model, mixer)
        settings |= _weights(kind, checkpoint, detector, is_pretrained=is_pretrained)
        _, arguments = chosen_weights(checkpoint, is_pretrained=is_pretrained)
        variant = {"name": row_name(model), "model": model, "mixer": mixer}
        variant["model_args"] = arguments if _task(kind) == "classification" else {}
        variant["label"] = f"{model}, {mixer}" if mixer else model
        usual = (USUAL_DATA if checkpoint is None else OF_CHECKPOINTS)[_task(kind)]
        variant["dataset"] = _data(kind, dataset or usual, img_size, settings.get("num_images", IMAGES))
    _make_folder(output)
    device = settle_process(Device.cpu, threads, is_strict=False)
    with warnings.catch_warnings(), progress_bar() as emit:
        warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
        records = run_alone(
            "analyze", variant, settings, folder=output, device=device, emit=emit, data=data, needs=needs
        )
    _tell(records, [str(output / f"{kind}.{end}") for end in ("npz", *FORMATS)], as_json=as_json)


def _task(kind: str) -> Task:
    task: Task = ANALYSES.load(kind).task
    return task


def _tell(records: Sequence[Record], files: Sequence[str], *, as_json: bool) -> None:
    """Print the numbers, their protocol, and where the files lie."""
    for record in records:
        if as_json:
            typer.echo(record.model_dump_json())
            continue
        shown = quantity(record.metric)
        value = "-" if record.value is None else f"{record.value * shown.scale:.{shown.digits}f}"
        typer.echo(f"{shown.title}: {value}")
    if not as_json:
        typer.echo(f"{records[0].protocol}\nwritten: {', '.join(files)}")


def _images(kind: str, asked: str) -> dict[str, Any]:
    """Return the settings that choose the images: a number, a folder, or names.

    Raises:
        UsageError: If it is none of them, or an analysis of classifiers gets a folder or names.
    """
    if asked.isdecimal() and int(asked) > 0:
        return {"num_images": int(asked)}
    if _task(kind) == "classification":
        raise UsageError(
            f"--images {asked}: expected a number from 1 on; {kind} takes no folder and no names"
        )
    if Path(asked).is_dir():
        return {"folder": str(Path(asked).absolute())}
    if os.sep in asked and not Path(asked).suffix:
        raise UsageError(f"--images {asked}: expected a folder there, found none; name a folder of images")
    return {"images": [name.strip() for name in asked.split(",")]}


def _of_training(kind: str, training: OneJob, dataset: str | None) -> dict[str, Any]:
    """Return the settings of an analysis of the model that a job has trained.

    Raises:
        UsageError: If its model is for another task.
    """
    from lsbench.engine.analysis_spec import TRAINED_BY

    expected, job = TRAINED_BY[_task(kind)], training.known.job
    if job is None or job.kind != expected:
        found = "an unknown one" if job is None else job.kind
        raise UsageError(f"{kind}: expected a job of kind {expected}, found {found}: {training.known.label}")
    if expected == "train":
        refuse_options(training.known.label, {"--dataset": dataset})
        return {}
    return {"dataset": dataset or job.spec["dataset"]}


def _weights(
    kind: str, checkpoint: Path | None, detector: Detector, *, is_pretrained: bool
) -> dict[str, Any]:
    """Return the settings of the weights that no job has trained.

    Raises:
        UsageError: If they contradict each other, or no such weights are published.
    """
    weights, _ = chosen_weights(checkpoint, is_pretrained=is_pretrained)
    if _task(kind) == "classification":
        return {"weights": weights}
    if is_pretrained:
        raise UsageError(f"--pretrained: weights of {kind} go by no name; name their file: --checkpoint FILE")
    place = None if checkpoint is None else str(checkpoint)
    return {"weights": weights, "checkpoint": place, "detector": detector.value}


def _data(kind: str, name: str, img_size: int | None, images: int) -> dict[str, Any]:
    """Return the settings of a data set; a generated one gets only the images that are analyzed."""
    enough = min(-(-images // 10) * 10, 1000)
    few = {"train_images": 10, "val_images": 10, "test_images": enough}
    side = IMG_SIZE if img_size is None and _task(kind) == "classification" else img_size
    return read_dataset("--dataset", name, {"img_size": side, **few})


def _make_folder(output: Path) -> None:
    """Make the folder of the files, before anything is computed.

    Raises:
        UsageError: If it cannot be made, or written into.
    """
    refuse_address(output, "-o")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {output}: {error.strerror or error}; name a folder") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise UsageError(f"-o {output}: {os.strerror(errno.EACCES)}; name a folder that you may write into")
