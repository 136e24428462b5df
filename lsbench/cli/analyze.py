"""The verb ``analyze``: analyze one model without a suite."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsbench.cli.completion import of
from lsbench.cli.one_model import (
    CheckpointOpt,
    Device,
    MixerOpt,
    ModelArg,
    PretrainedOpt,
    ThreadsOpt,
    check_model,
    chosen_weights,
    progress_bar,
    read_dataset,
    run_alone,
    settle_process,
)
from lsbench.cli.options import DataOpt, JsonOpt
from lsbench.core.errors import UsageError
from lsbench.core.model_sources import row_name
from lsbench.core.quantity import quantity
from lsbench.core.registry import ANALYSES
from lsbench.rendering.pictures import FORMATS

if TYPE_CHECKING:
    from lsbench.cli.one_model import Emit
    from lsbench.core.record import Record


def analyze(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="See `lsbench list analyses`.", autocompletion=of("ANALYSES")),
    ],
    model: ModelArg,
    mixer: MixerOpt = None,
    checkpoint: CheckpointOpt = None,
    is_pretrained: PretrainedOpt = False,
    images: Annotated[int, typer.Option(min=1, metavar="N", help="Image count.")] = 50,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="Data set of the images.", autocompletion=of("DATASETS"))
    ] = "fashion_scenes",
    data: DataOpt = None,
    img_size: Annotated[int, typer.Option(min=8, metavar="PX", help="Image size in pixels.")] = 224,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Batch size.")] = 10,
    threads: ThreadsOpt = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for arrays and picture.")
    ] = Path("."),
    as_json: JsonOpt = False,
) -> None:
    """Analyze one model: write KIND.npz and a picture (PDF, SVG, PNG), and print the numbers.

    To analyze the trained variants of a suite, add the job `analyze` to it.
    """
    if message := ANALYSES.problem(kind):
        raise UsageError(message)
    check_model(model, mixer)
    weights, arguments = chosen_weights(checkpoint, is_pretrained=is_pretrained)
    variant = {"name": row_name(model), "model": model, "mixer": mixer, "model_args": arguments}
    variant |= {"label": f"{model}, {mixer}" if mixer else model, "dataset": _data(dataset, img_size, images)}
    settings = {"kind": kind, "num_images": images, "batch_size": batch_size, "weights": weights}
    _make_folder(output)
    with warnings.catch_warnings(), progress_bar() as emit:
        warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
        records = _run(variant, settings, output, data, threads, emit)
    for record in records:
        if as_json:
            typer.echo(record.model_dump_json())
            continue
        shown = quantity(record.metric)
        value = "-" if record.value is None else f"{record.value * shown.scale:.{shown.digits}f}"
        typer.echo(f"{shown.title}: {value}")
    files = [str(output / f"{kind}.{end}") for end in ("npz", *FORMATS)]
    if not as_json:
        typer.echo(f"{records[0].protocol}\nwritten: {', '.join(files)}")


def _data(name: str, img_size: int, images: int) -> dict[str, Any]:
    """Return the settings of a data set; a generated one gets only the images that are analyzed."""
    enough = min(-(-images // 10) * 10, 1000)
    few = {"train_images": 10, "val_images": 10, "test_images": enough}
    return read_dataset("--dataset", name, {"img_size": img_size, **few})


def _run(
    variant: dict[str, Any],
    settings: dict[str, Any],
    output: Path,
    data: Path | None,
    threads: int | None,
    emit: Emit,
) -> list[Record]:
    device = settle_process(Device.cpu, threads, is_strict=False)
    return run_alone("analyze", variant, settings, folder=output, device=device, emit=emit, data=data)


def _make_folder(output: Path) -> None:
    """Make the folder of the files, before anything is computed.

    Raises:
        UsageError: If it cannot be made, or written into.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {output}: {error.strerror or error}; name a folder") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise UsageError(f"-o {output}: {os.strerror(errno.EACCES)}; name a folder that you may write into")
