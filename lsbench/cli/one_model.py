"""Parts shared by the verbs on one model: options, checks, a training's model, a job without a suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from lsbench.cli.completion import models, models_and_trainings, of, offers
from lsbench.cli.options import results_folders
from lsbench.cli.running import create_stderr
from lsbench.core.catalog import unknown_model
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.core.registry import DATASETS, JOBS, MIXERS
from lsbench.core.validation import place_of, reason_of

if TYPE_CHECKING:
    from lsbench.core.job import JobContext
    from lsbench.core.record import Record
    from lsbench.tables.one_job import OneJob

    Emit = Callable[[dict[str, Any]], None]


class Device(StrEnum):
    """The devices that a model runs on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"
    xpu = "xpu"


class WholeTask(StrEnum):
    """The detectors and segmenters that a model can be the backbone of."""

    retinanet = "retinanet"
    maskrcnn = "maskrcnn"
    semantic_fpn = "semantic_fpn"


ModelArg = Annotated[
    str, typer.Argument(metavar="MODEL", help="See `lsbench list models`.", autocompletion=offers(models))
]
ModelOrJobArg = Annotated[
    str,
    typer.Argument(
        metavar="MODEL|JOB",
        help="See `lsbench list models`; or a finished training: its id, the start of it, or a label such as "
        "ls_conv/train/seed0.",
        autocompletion=offers(models_and_trainings),
    ),
]
MixerOpt = Annotated[
    str | None, typer.Option("--mixer", metavar="NAME", help="Token mixer.", autocompletion=of("MIXERS"))
]


def _existing_file(value: Path | None) -> Path | None:
    """Return the file that ``--checkpoint`` names.

    Raises:
        UsageError: If there is no such file.
    """
    if value is None or value.expanduser().is_file():
        return value
    reason = "is a folder; name the file in it" if value.expanduser().is_dir() else "does not exist"
    is_address = re.match(r"[a-z][a-z\d+.-]+:/", str(value))  # one slash of two is left
    raise UsageError(f"--checkpoint {value}: {'is an address; download the file' if is_address else reason}")


CheckpointOpt = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Weights. Default: random ones from seed 0.",
        callback=_existing_file,
    ),
]
PretrainedOpt = Annotated[
    bool, typer.Option("--pretrained", help="Use the weights published by the model's authors.")
]
EmaOpt = Annotated[
    bool, typer.Option("--ema", help="Of a training or a file of one: the moving average of its weights.")
]
ThreadsOpt = Annotated[
    int | None, typer.Option("--threads", min=1, metavar="N", help="CPU threads; default: all.")
]
TaskOpt = Annotated[
    WholeTask | None, typer.Option("--task", help="The detector or segmenter on the model, as a whole.")
]
DeviceOpt = Annotated[Device, typer.Option("--device", help="auto: the first GPU if there is one.")]


def check_model(model: str, mixer: str | None) -> None:
    """Check the names of a model and of its token mixer.

    Raises:
        UsageError: If one of them is unknown.
    """
    if message := unknown_model(model):
        raise UsageError(message)
    if mixer is not None and (message := MIXERS.problem(mixer)):
        raise UsageError(f"--mixer: {message}")


def find_training_of(
    asked: str, results: Path, suite: str | None, preset: str | None, *, with_wholes: bool = False
) -> OneJob | None:
    """Return the finished training with a label or an id, or None if `asked` names a model.

    Args:
        asked: The words of the user.
        results: Folder of results.
        suite: Name of the suite, if given.
        preset: Name of the preset, if given.
        with_wholes: Whether trainings of detectors and segmenters are wanted too.

    Raises:
        UsageError: If it names neither, or a job without weights.
    """
    from lsbench.tables.job_changes import known_jobs
    from lsbench.tables.one_job import find_shown, read_job
    from lsbench.tables.trainings import only_training

    unknown = unknown_model(asked)
    if unknown is None:
        return None
    try:
        known = [one for folder in results_folders(suite, preset, results) for one in known_jobs(folder)]
    except NothingMeasuredError as error:
        raise UsageError(f"{unknown}; nor is it a training: {error}") from error
    try:
        found = find_shown(asked, known)
    except UsageError as error:
        raise UsageError(
            str(error) if "/" in asked else f"{unknown}; nor is it a training: {error}"
        ) from error
    return read_job(only_training(asked, found, with_wholes=with_wholes))


def data_root_of(training: OneJob) -> Path | None:
    """Return the folder of large data sets that a training was given."""
    job = training.known.job
    return None if job is None or job.data_root is None else Path(job.data_root)


def chosen_weights(checkpoint: Path | None, *, is_pretrained: bool) -> tuple[str, dict[str, Any]]:
    """Return the word for the weights of a model, and the arguments of the model that name them.

    Raises:
        UsageError: If both ways were given.
    """
    if checkpoint is not None and is_pretrained:
        raise UsageError("--pretrained and --checkpoint: give one of them")
    if checkpoint is not None:
        return "pretrained", {"checkpoint": str(checkpoint)}
    return ("pretrained", {"pretrained": True}) if is_pretrained else ("fresh", {})


def refuse_options(job: str, given: Mapping[str, object]) -> None:
    """Raise a UsageError if an option was given that a training has settled.

    Args:
        job: What the user called the training.
        given: Option -> its value; None and False were not given.
    """
    named = [option for option, value in given.items() if value not in (None, False)]
    if named:
        raise UsageError(f"{', '.join(named)}: not with {job}, a training, which has its own; leave it out")


def read_dataset(flag: str, asked: str | Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a data set that is given by name, or by name and settings.

    Args:
        flag: The option, for messages.
        asked: The name, or a mapping with `name`.
        changes: Settings to lay over it; those that are None or unknown to the data set are left out.

    Raises:
        UsageError: If the data set or a setting is unknown, or a value is wrong.
    """
    given: dict[str, Any] = {"name": asked} if isinstance(asked, str) else dict(asked)
    name = str(given.get("name"))
    if message := DATASETS.problem(name):
        raise UsageError(f"{flag}: {message}")
    spec = DATASETS.load(name).spec
    given |= {key: value for key, value in changes.items() if value is not None and key in spec.model_fields}
    try:
        resolved: dict[str, Any] = spec.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{flag} {name}: {place_of(first)}: {reason_of(first)}") from error
    return resolved


def settle_process(device: Device, threads: int | None, *, is_strict: bool = True) -> str:
    """Set seed and threads of this process; return ``"cuda"`` or ``"cpu"``.

    Args:
        device: The device that was asked for.
        threads: CPU threads; None: all.
        is_strict: Whether to compute as a job of a suite does, with deterministic algorithms.

    Raises:
        UsageError: If there is no such device.
    """
    import torch

    from lsbench.core.env import usable_cpus
    from lsbench.engine.process import prepare_process, seed_everything

    chosen, threads = check_device(device), threads or usable_cpus()
    if is_strict:
        return prepare_process(threads=threads, seed=0, wants_gpu=chosen == "cuda")
    torch.set_num_threads(threads)
    seed_everything(0)
    return chosen


def check_device(device: Device) -> str:
    """Return ``"cuda"`` or ``"cpu"``.

    Raises:
        UsageError: If there is no such device, or if it is not supported.
    """
    if device is Device.cpu:
        return "cpu"
    if device in (Device.mps, Device.xpu):
        raise UsageError(f"--device {device}: lsbench does not support it; use --device cuda or cpu")
    import torch

    from lsbench.engine.process import unsupported_device

    if torch.cuda.is_available():
        return "cuda"
    if device is Device.cuda:
        raise UsageError("--device cuda: torch finds no CUDA device here; use --device cpu")
    if (kind := unsupported_device()) is not None:
        create_stderr().print(f"lsbench does not support {kind}: this runs on the CPU.")
    return "cpu"


def run_alone(
    kind: str,
    variant: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    folder: Path,
    device: str,
    emit: Emit,
    data: Path | None = None,
    needs: Mapping[str, Path] | None = None,
    limit: int | None = None,
) -> list[Record]:
    """Run a job without a suite, in this process, and return its records.

    Args:
        kind: Job kind.
        variant: Fields of its variant.
        settings: Settings of the job.
        folder: Where it writes its files.
        device: ``"cpu"`` or ``"cuda"``.
        emit: Takes its progress events.
        data: Folder of large data sets.
        needs: Folders of the jobs that it needs, by name.
        limit: As ``--limit`` of a run.

    Raises:
        UsageError: If a setting is wrong.
    """
    from lsbench.core.job import Job, JobContext, Resources, Variant

    job_kind = JOBS.load(kind)
    try:
        spec = job_kind.spec.model_validate(dict(settings))
    except ValidationError as error:
        raise UsageError(_first_line(error)) from error
    job = Job(
        id=None,
        kind=kind,
        name=getattr(spec, "kind", kind),
        variant=Variant.model_validate(dict(variant)),
        seed=0,
        spec=spec.model_dump(mode="json"),
        needs={},
        resources=Resources(),
        dataset_fingerprint=None,
        protocol_version=job_kind.version,
        data_root=None if data is None else str(data.absolute()),
        limit=limit,
    )
    context: JobContext = JobContext(job, spec, folder, dict(needs or {}), device, emit)
    return list(job_kind.run(context))


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    # A setting that does not fit another one names itself.
    return f"--{where}: {reason_of(first)}" if where else f"--{reason_of(first)}"


def record_lines(records: Sequence[Record]) -> list[str]:
    """Return each record as a line: number with unit and interval, protocol and data set."""
    from lsbench.rendering.one_job import number_text
    from lsbench.tables.one_job import to_number

    where = [f"{one.protocol}, on {one.dataset}" if one.dataset else one.protocol for one in records]
    return [f"{number_text(to_number(one))}   ({place})" for one, place in zip(records, where, strict=True)]


@contextmanager
def progress_bar() -> Iterator[Emit]:
    """Show a progress bar of the images on stderr if it is a terminal, and warnings as lines."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from lsbench.rendering.console import create_console

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = create_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("images", total=None)

        def emit(event: dict[str, Any]) -> None:
            if event["ev"] == "step":
                what = str(event.get("what", "images"))
                bar.update(task, completed=event["step"], total=event["steps"], description=what)
            elif event["ev"] == "warning":
                console.print(f"warning: {event['message']}", markup=False, soft_wrap=True)

        yield emit
