"""The verb ``evaluate``: evaluate one model without a suite."""

from __future__ import annotations

import tempfile
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lsbench.cli.completion import of
from lsbench.cli.one_model import (
    CheckpointOpt,
    Device,
    DeviceOpt,
    EmaOpt,
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
    record_lines,
    refuse_options,
    run_alone,
    settle_process,
)
from lsbench.cli.options import RESULTS, DataOpt, JsonOpt, PresetOfJobOpt, ResultsOpt, SuiteOfJobOpt
from lsbench.core.errors import UsageError
from lsbench.core.model_sources import row_name

DEFAULT_DATA = "imagenet"


class Precision(StrEnum):
    """Number formats of tested models."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"
    int8 = "int8"


def evaluate(
    model: ModelOrJobArg,
    checkpoint: CheckpointOpt = None,
    is_pretrained: PretrainedOpt = False,
    is_ema: EmaOpt = False,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATASET",
            help="A data set with the model's classes, or {name: ..., and its options}. "
            "Default: imagenet; of a training, its own.",
            autocompletion=of("DATASETS"),
        ),
    ] = None,
    data: DataOpt = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Split; default: test.")] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            metavar="A,B",
            help="See `lsbench list metrics`; default: top1,top5.",
            autocompletion=of("METRICS"),
        ),
    ] = None,
    mixer: MixerOpt = None,
    img_size: Annotated[
        int | None,
        typer.Option(
            min=8, metavar="PX", help="Image size; default: the published weights', else the data set's."
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Images per batch.")] = 256,
    data_workers: Annotated[int, typer.Option(min=0, metavar="N", help="Loader processes.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N batches, drawn evenly.")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs the model, compared with PyTorch in fp32; see `lsbench list runtimes`.",
            autocompletion=of("RUNTIMES"),
        ),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Of weights and activations; default: fp32.")
    ] = None,
    device: DeviceOpt = Device.auto,
    threads: ThreadsOpt = None,
    results: ResultsOpt = RESULTS,
    suite: SuiteOfJobOpt = None,
    preset: PresetOfJobOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Evaluate one model on a data set: a checkpoint, published weights, or a training of a suite.

    Engine, protocol and intervals are those of the job `evaluate` of a suite. Nothing is kept.
    """
    from lsbench.suite.loader import check_limit

    check_limit(limit)
    training = find_training_of(model, results, suite, preset)
    settings: dict[str, Any] = {"batch_size": batch_size, "data_workers": data_workers}
    settings |= {"split": split} if split else {}
    settings |= {"metrics": [name for text in metrics for name in text.split(",")]} if metrics else {}
    settings |= {"runtime": runtime} if runtime else {}
    settings |= {"precision": precision.value} if precision else {}
    needs: dict[str, Path] = {}
    if training is None:
        check_model(model, mixer)
        weights, arguments = chosen_weights(checkpoint, is_pretrained=is_pretrained)
        if is_ema and checkpoint is None:
            raise UsageError(
                f"--ema: {model} is a model; only a training or --checkpoint has a moving average"
            )
        own = read_dataset("--on", _dataset(on or DEFAULT_DATA), {"img_size": img_size})
        variant = {
            "name": row_name(model),
            "model": model,
            "mixer": mixer,
            "model_args": arguments,
            "dataset": own,
        }
        settings["weights"] = "ema" if is_ema else weights
        if is_pretrained and img_size is not None:
            settings["preprocess"] = {"input_size": img_size}
    else:
        given = {"--checkpoint": checkpoint, "--pretrained": is_pretrained, "--mixer": mixer}
        refuse_options(model, {**given, "--img-size": img_size})
        variant, needs = {"name": training.variant, **training.model}, {"train": training.path}
        settings |= {"weights": "ema" if is_ema else "last"} | ({"on": _dataset(on)} if on else {})
        data = data or data_root_of(training)
    chosen = settle_process(device, threads)
    with warnings.catch_warnings(), progress_bar() as emit, tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
        records = run_alone(
            "evaluate",
            variant,
            settings,
            folder=Path(folder),
            device=chosen,
            emit=emit,
            data=data,
            needs=needs,
            limit=limit,
        )
    for line in [record.model_dump_json() for record in records] if as_json else record_lines(records):
        typer.echo(line)
    if settings["weights"] == "fresh":
        typer.echo("random weights from seed 0: give --checkpoint FILE or --pretrained", err=True)


def _dataset(text: str) -> str | dict[str, Any]:
    from lsbench.suite.marked_yaml import read_value

    if not text.lstrip().startswith("{"):
        return text
    value = read_value(text, f"--on {text}")
    if not isinstance(value, dict) or "name" not in value:
        raise UsageError(f"--on {text}: expected {{name: ..., and options}}")
    return dict(value)
