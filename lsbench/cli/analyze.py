"""The verb ``analyze``: analyze one model without a suite."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from lsbench.cli.options import DataOpt, JsonOpt
from lsbench.core.catalog import unknown_model
from lsbench.core.errors import UsageError
from lsbench.core.quantity import quantity
from lsbench.core.registry import ANALYSES, DATASETS, MIXERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsbench.core.job import JobContext
    from lsbench.core.record import Record

    Emit = Callable[[dict[str, Any]], None]


def analyze(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="See `lsbench list analyses`.")],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="See `lsbench list models`.")],
    mixer: Annotated[str | None, typer.Option(metavar="NAME", help="Token mixer.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights. Default: random ones from seed 0.")
    ] = None,
    is_pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Use the weights published by the model's authors.")
    ] = False,
    images: Annotated[int, typer.Option(min=1, metavar="N", help="Image count.")] = 50,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="Data set of the images.")] = "fashion_scenes",
    data: DataOpt = None,
    img_size: Annotated[int, typer.Option(min=8, metavar="PX", help="Image size in pixels.")] = 224,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Batch size.")] = 10,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="CPU threads; default: all.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for arrays and picture.")
    ] = Path("."),
    as_json: JsonOpt = False,
) -> None:
    """Analyze one model: write KIND.npz, KIND.png and KIND.svg, and print the numbers.

    To analyze the trained variants of a suite, add the job `analyze` to it.
    """
    _check_names(kind, model, mixer, dataset)
    _make_folder(output)
    weights = "pretrained" if is_pretrained or checkpoint else "fresh"
    arguments: dict[str, Any] = {"pretrained": True} if is_pretrained else {}
    arguments |= {"checkpoint": str(checkpoint)} if checkpoint else {}
    variant = {"name": model, "model": model, "mixer": mixer, "model_args": arguments}
    variant |= {"label": f"{model}, {mixer}" if mixer else model, "dataset": _data(dataset, img_size, images)}
    settings = {"kind": kind, "num_images": images, "batch_size": batch_size, "weights": weights}
    with warnings.catch_warnings(), _progress() as emit:
        warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
        records = _run(variant, settings, output, data, threads, emit)
    for record in records:
        if as_json:
            typer.echo(record.model_dump_json())
            continue
        shown = quantity(record.metric)
        value = "-" if record.value is None else f"{record.value * shown.scale:.{shown.digits}f}"
        typer.echo(f"{shown.title}: {value}")
    files = [str(output / f"{kind}.{end}") for end in ("npz", "png", "svg")]
    if not as_json:
        typer.echo(f"{records[0].protocol}\nwritten: {', '.join(files)}")


def _check_names(kind: str, model: str, mixer: str | None, dataset: str) -> None:
    if message := ANALYSES.problem(kind):
        raise UsageError(message)
    if message := unknown_model(model):
        raise UsageError(message)
    if mixer is not None and (message := MIXERS.problem(mixer)):
        raise UsageError(f"--mixer: {message}")
    if message := DATASETS.problem(dataset):
        raise UsageError(f"--dataset: {message}")


def _data(name: str, img_size: int, images: int) -> dict[str, Any]:
    """Return the settings of a data set; a generated one gets only the images that are analyzed."""
    spec = DATASETS.load(name).spec
    settings: dict[str, Any] = {"name": name, "img_size": img_size}
    if "test_images" in spec.model_fields:
        enough = min(-(-images // 10) * 10, 1000)
        settings |= {"train_images": 10, "val_images": 10, "test_images": enough}
        settings = {key: value for key, value in settings.items() if key in spec.model_fields}
    try:
        resolved: dict[str, Any] = spec.model_validate(settings).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"--dataset {name}: {where}: {first['msg']}, found {first['input']!r}") from error
    return resolved


def _run(
    variant: dict[str, Any],
    settings: dict[str, Any],
    output: Path,
    data: Path | None,
    threads: int | None,
    emit: Emit,
) -> list[Record]:
    import torch

    from lsbench.core.env import usable_cpus
    from lsbench.jobs.analyze import JOB, AnalyzeSpec

    torch.manual_seed(0)
    torch.set_num_threads(threads or usable_cpus())
    spec = AnalyzeSpec.model_validate(settings)
    return list(JOB.run(_context(variant, spec, output, data, emit)))


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


def _context(variant: dict[str, Any], spec: Any, output: Path, data: Path | None, emit: Emit) -> JobContext:
    """Return the context of a job outside of a suite, without an id."""
    from lsbench.core.job import Job, JobContext, Resources, Variant

    job = Job(
        id=None,
        kind="analyze",
        name=spec.kind,
        variant=Variant.model_validate(variant),
        seed=0,
        spec=spec.model_dump(mode="json"),
        needs={},
        resources=Resources(),
        dataset_fingerprint=None,
        protocol_version=1,
        data_root=None if data is None else str(data),
    )
    return JobContext(job, spec, output, {}, "cpu", emit)


@contextmanager
def _progress() -> Iterator[Emit]:
    """Show a progress bar of the images on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("images", total=None)

        def emit(event: dict[str, Any]) -> None:
            if event["ev"] == "step":
                bar.update(task, completed=event["step"], total=event["steps"], description=event["what"])

        yield emit
