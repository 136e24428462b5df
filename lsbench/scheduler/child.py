"""The process of one job: run the job and write ``result.json`` as its last act."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from lsbench.core.atomic import remove_parts, write_json
from lsbench.core.env import provenance
from lsbench.core.errors import ConfigError, DeviceFaultError, LsbenchError, PreemptedError
from lsbench.core.ids import canonical_json
from lsbench.core.job import BuiltOn, Job, JobContext, JobKind, OtherSize, Variant
from lsbench.core.lock import locked
from lsbench.core.model_sources import weights_content
from lsbench.core.plain_text import limited
from lsbench.core.plain_warnings import shown_plainly
from lsbench.core.plugin_code import CodeReader, files_hash
from lsbench.core.promises import describe as describe_object
from lsbench.core.record import SCHEMA_VERSION, Record
from lsbench.core.registry import DATASETS, JOBS
from lsbench.core.stopping import is_asked_to_stop
from lsbench.detection.settings import SETTINGS, Task
from lsbench.scheduler.causes import Held, explained, own_device, told
from lsbench.scheduler.data_checks import check_data_uses
from lsbench.scheduler.node_check import check_node
from lsbench.scheduler.protocol import NodeNeeds
from lsbench.scheduler.throttle import throttled
from lsbench.scheduler.torchrun import run_ranks
from lsbench.store.early import keeping
from lsbench.store.job_files import CHECKPOINTS
from lsbench.store.results import LOCK, RESULT, SPEC, begin_job
from lsbench.store.trials import add_epoch
from lsbench.suite.splits import DataUse

Emit = Callable[[dict[str, Any]], None]
LOCK_WAIT_S = 30.0
#: Classes of the models that are built before the first job.
NUM_CLASSES = 10
#: Settings that bound the images on a device, the one that changes no result first.
BATCH_SETTINGS = ("device_batch_size", "batch_size")
#: Side of the image that detectors and segmenters are tried with: 32 times the fewest pixels of a map.
SIDE = 128


def act(request: Mapping[str, Any], emit: Emit) -> int:
    """Execute a request and return the exit status of the process.

    Args:
        request: ``{"action": "job", "folder": ...}``, where the text ``spec`` is first written into the
            folder as its settings, a job with ``keeps_epochs`` stores its finished epochs there, and one
            with ``gpu_share`` has this share of its device's memory;
            ``{"action": "preflight", "variants": [...], "data": [...]}``, with ``needs`` and ``gpus`` to
            check the node; or
            ``{"action": "ranks", ...}`` with the request of :func:`lsbench.scheduler.torchrun.run_ranks`.
        emit: Receives events, the last of them ``error`` if the job failed.
    """
    try:
        with shown_plainly():
            return _act(request, emit)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - any error of a job, sys.exit too, is stored with the job
        traceback.print_exc()
        emit({"ev": "error", **describe(error)})
        return 1


def _act(request: Mapping[str, Any], emit: Emit) -> int:
    if request["action"] == "preflight":
        variants = [_variant_of(one) for one in request["variants"]]
        uses = [DataUse.model_validate(one) for one in request.get("data", ())]
        if "needs" in request:
            emit({"ev": "node", **check_node(NodeNeeds(**request["needs"]), gpus=request["gpus"])})
        emit({"ev": "preflight", "problems": check_data_uses(uses) + check_models(variants)})
        return 0
    folder = Path(request["folder"])
    if "spec" in request:
        begin_job(folder, request["spec"])
    if request["action"] == "ranks":
        return run_ranks(request, emit)
    sparing = throttled(emit)
    told = noting_epochs(folder, sparing) if request.get("keeps_epochs") else sparing
    execute(folder, told, share=request.get("gpu_share", 1.0))
    return 0


def noting_epochs(folder: Path, emit: Emit) -> Emit:
    """Return an `emit` that first stores every finished epoch in the job's folder.

    The job's own process stores them, so that none is lost when the watching process dies.
    """

    def note(event: dict[str, Any]) -> None:
        if event["ev"] == "epoch":
            add_epoch(folder, event)
        emit(event)

    return note


def describe(error: BaseException) -> dict[str, str]:
    """Return the error class and the one-line message to store for a failure.

    Whatever fails after the request to stop fails because of it: other processes of the job have got it too.
    """
    if is_asked_to_stop() and not isinstance(error, PreemptedError):
        return describe(PreemptedError(f"asked to stop (SIGTERM), and then {type(error).__name__}"))
    if isinstance(error, SystemExit):
        return {
            "error_class": "SystemExit",
            "message": f"its code called sys.exit({limited(repr(error.code))})",
        }
    is_oom = isinstance(error, MemoryError)
    text = "; ".join(str(error).strip().splitlines()) if isinstance(error, LsbenchError) else told(error)
    own = error.error_class if isinstance(error, LsbenchError) else None
    device = own_device() if isinstance(error, DeviceFaultError) else None
    where = {} if device is None else {"device": device}
    return {
        "error_class": "oom" if is_oom else own or type(error).__name__,
        "message": limited(text),
        **where,
    }


def execute(folder: Path, emit: Emit, *, share: float = 1.0) -> None:
    """Run the job whose ``spec.json`` lies in `folder`, unless it is done already.

    If several ranks run one job, only the first holds its lock and writes its result.

    Args:
        folder: The job's folder.
        emit: Receives its events.
        share: The job's share of the memory of its device.

    Raises:
        StoreError: If another process holds the job.
        Exception: Any error of the job; one of ours where torch does not tell what has failed.
    """
    job = Job.model_validate_json((folder / SPEC).read_text(encoding="utf-8"))
    try:
        _execute(job, folder, emit, share)
    except Exception as error:
        cause = explained(error, Held(share, _batch_setting(job.kind)))
        if cause is error:
            raise
        raise cause from error


def _batch_setting(kind: str) -> tuple[str, ...]:
    """Return the setting of a job kind that bounds the images on a device, if it has one."""
    fields = JOBS.load(kind).spec.model_fields
    return tuple(name for name in BATCH_SETTINGS if name in fields)[:1]


def _execute(job: Job, folder: Path, emit: Emit, share: float) -> None:
    is_first = os.environ.get("RANK", "0") == "0"
    with _lock_until_done(job, folder) if is_first else contextlib.nullcontext():
        if (job.resources.num_ranks or 1) == 1 and (folder / RESULT).exists():
            return
        if is_first:
            for place in (folder, folder / CHECKPOINTS):  # weights take room
                remove_parts(place)
        check_code(job)
        started, clock = datetime.now(UTC), time.monotonic()
        context = _context(job, folder, emit, share)
        if _is_done(folder):
            return

        def content(records: Sequence[Record]) -> dict[str, Any]:
            line = _job_line(job, context, started, time.monotonic() - clock)
            return {"job": line, "records": _record_lines(job, records)}

        kind: JobKind = JOBS.load(job.kind)
        with keeping(folder, content) as keep:
            records = list(kind.run(replace(context, keep=keep) if is_first else context))
            if is_first:
                write_json(folder / RESULT, content(records))


@contextlib.contextmanager
def _lock_until_done(job: Job, folder: Path) -> Iterator[None]:
    """Hold the lock of a job's folder; remove it if the job is done, as whoever comes finds the result."""
    with locked(folder / LOCK, what=f"job {job.label}", wait_s=LOCK_WAIT_S):
        yield
        if (folder / RESULT).exists():
            (folder / LOCK).unlink(missing_ok=True)


def check_code(job: Job) -> None:
    """Check that code and checkpoints are those of the plan, as the result is stored under them.

    Raises:
        ConfigError: If they are not: another version on this node, or an edit since the run began.
    """
    for place, content in job.contents.items():
        if weights_content(place) != content:
            raise ConfigError(
                f"checkpoint '{place}' on {socket.gethostname()} is another file than the run began with: "
                "put the same on every node, or, if it was replaced since, run the same command again"
            )
    now = CodeReader().code(job.code)
    for plugin, files in job.code.items():
        found = now.get(plugin, {})
        differing = [name for name in {*files, *found} if files.get(name) != found.get(name)]
        if differing:
            # A file that both have was edited; one that only one has may follow from that.
            named = min(differing, key=lambda name: (not (name in files and name in found), name))
            raise ConfigError(
                f"{plugin}: {named} on {socket.gethostname()} is other code than the run began with: "
                "install the same on every node, or, if it was edited since, run the same command again"
            )


def _is_done(folder: Path) -> bool:
    """Return whether the job is done according to the first rank, which holds the lock."""
    from lsbench.engine.distributed import from_first_rank

    return from_first_rank((folder / RESULT).exists())


def _context(job: Job, folder: Path, emit: Emit, share: float) -> JobContext:
    from lsbench.engine.distributed import join_world
    from lsbench.engine.process import prepare_process

    kind: JobKind = JOBS.load(job.kind)
    spec = kind.spec.model_validate(job.spec)
    gpus = job.resources.num_gpus
    device = prepare_process(
        threads=spec.threads,
        seed=job.seed or 0,
        wants_gpu=None if gpus == "auto" else bool(gpus),
        share=share,
    )
    join_world(device)
    needs = {name: folder.parent / str(needed) for name, needed in job.needs.items()}
    return JobContext(job=job, spec=spec, folder=folder, needs=needs, device=device, emit=emit)


def _record_lines(job: Job, records: Sequence[Record]) -> list[dict[str, Any]]:
    return [{"job_id": job.id, **record.model_dump(mode="json")} for record in records]


def _job_line(job: Job, context: JobContext, started: datetime, wall_s: float) -> dict[str, Any]:
    from lsbench.engine.distributed import current_world
    from lsbench.engine.process import device_name

    return {
        "schema_version": SCHEMA_VERSION,
        "job_id": job.id,
        "status": "ok",
        **({"code": {plugin: files_hash(files) for plugin, files in job.code.items()}} if job.code else {}),
        "kind": job.kind,
        "label": job.label,
        "seed": job.seed,
        "started_at": started.isoformat(timespec="seconds"),
        "wall_s": round(wall_s, 3),
        "error": None,
        "setting": {**job.spec, "dataset": job.variant.dataset, "limit": job.limit},
        "provenance": {
            **provenance(),
            "device": context.device,
            "device_name": device_name(context.device),
            "num_ranks": current_world().size,
            "data_fingerprint": job.dataset_fingerprint,
        },
    }


def _variant_of(values: Mapping[str, Any]) -> Variant:
    """Return a variant as the driver sent it."""
    kind = BuiltOn if "built_as" in values else OtherSize if "shown" in values else Variant
    return kind.model_validate(values)


def check_models(variants: Sequence[Variant]) -> list[str]:
    """Build every distinct model once and run one image through it; return one line per problem."""
    problems: dict[str, None] = {}
    seen: set[str] = set()
    for variant in variants:
        built = variant.model_dump(include={"built_as", "sizes", "checkpoint", "num_classes", "shown"})
        key = canonical_json([variant.model_identity(), variant.dataset, built])
        if key in seen:
            continue
        seen.add(key)
        try:
            _build(variant)
        except ConfigError as error:
            problems.update(dict.fromkeys(f"variant '{variant.name}': {line}" for line in error.problems))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a user's mixer may raise any error, or call sys.exit
            message = describe(error)["message"]
            how = f"does not work{_arguments(variant)}: {type(error).__name__}: {message}"
            problems[f"variant '{variant.name}': {how}"] = None
    return list(problems)


def _build(variant: Variant) -> None:
    """Build a model and run one image through it."""
    from lsbench.models.downstream.factory import create_downstream
    from lsbench.models.factory import create_model

    shared: dict[str, Any] = {"mixer": variant.mixer, "mixer_args": variant.mixer_args}
    if isinstance(variant, BuiltOn):
        sizes = SETTINGS[cast("Task", variant.built_as)].model_validate(variant.sizes)
        whole = create_downstream(
            variant.built_as,
            variant.model,
            num_classes=variant.num_classes,
            checkpoint=variant.checkpoint,
            settings=sizes,
            **shared,
            **variant.model_args,
        )
        _try_outputs(whole, variant.model)
        return
    spec = DATASETS.load(variant.dataset["name"]).spec.model_validate(variant.dataset)
    shared |= {"num_classes": NUM_CLASSES, "img_size": spec.img_size}
    model = create_model(variant.model, **shared, **variant.model_args)
    if not isinstance(variant, OtherSize):
        _try_one_image(model, spec.img_size)
        return
    try:
        _try_one_image(model, variant.shown)
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = describe(error)["message"]
        raise ConfigError(
            f"model '{variant.model}' built for images of {spec.img_size} px takes none of {variant.shown} "
            f"px, which a job shows to it{f': {reason}' if reason else ''}"
        ) from error


def _arguments(variant: Variant) -> str:
    """Return the arguments of a model as part of a message."""
    from lsbench.models.option_types import shown

    given = {name: getattr(variant, name) for name in ("model_args", "mixer_args") if getattr(variant, name)}
    return "".join(f" with {name} {shown(value)}" for name, value in given.items())


def _try_outputs(model: Any, name: str) -> None:
    """Run one black image through a detector or segmenter, not square, as its images have any size.

    Raises:
        ConfigError: If its backbone does not take it.
    """
    import torch

    height, width = SIDE, SIDE + 32
    try:
        with torch.no_grad():
            model.eval().outputs(torch.zeros(1, 3, height, width))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = describe(error)["message"]
        raise ConfigError(
            f"model '{name}': detectors and segmenters have images of any size, and it does not take "
            f"one of {height} x {width} pixels: {reason}"
        ) from error


def _try_one_image(model: Any, img_size: int) -> None:
    """Run one black image through a model: a mixer with a wrong shape fails here, not in every job."""
    import torch

    with torch.no_grad():
        logits = model.eval()(torch.zeros(1, 3, img_size, img_size))
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, NUM_CLASSES):
        found = (
            f"shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else describe_object(logits)
        )
        raise ConfigError(f"expected logits of shape (1, {NUM_CLASSES}) for one image, found {found}")
