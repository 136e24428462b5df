"""Parts shared by the timing probes: measure in a fresh process, keep every sample, return the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes._programs import Workshop, with_programs
from lsbench.timing.image_size import ImageSize
from lsbench.timing.launch import run_apart
from lsbench.timing.records import Timed, create_request, save_samples, timing_facets
from lsbench.timing.request import BatchEnd, Reply, Request, joined

if TYPE_CHECKING:
    from lsbench.timing.records import Values

#: Why the search for the largest batch ended, in words.
BATCH_ENDS: dict[BatchEnd, str] = {
    "throughput": "twice as many images are less than 3 % faster",
    "time": "the time for the search is spent",
    "memory": "twice as many images may not fit",
    "most": "no larger ones are tried",
}
PAIRS = 60
"""Least number of pairs in a comparison with a control, if time allows."""
#: Measured with every timing of a model alone.
RESOURCES = (
    Quantity(
        "peak_memory_mib",
        "MiB",
        False,
        "peak memory (MiB)",
        digits=0,
        depends_on_machine=True,
        short_title="memory (MiB)",
    ),
    Quantity(
        "peak_device_memory_mib",
        "MiB",
        False,
        "peak GPU memory (MiB)",
        digits=0,
        depends_on_machine=True,
        short_title="GPU memory (MiB)",
        hole="no GPU",
    ),
    Quantity(
        "energy_per_image_j",
        "J",
        False,
        "energy per image (J)",
        digits=4,
        depends_on_machine=True,
        short_title="energy (J)",
        hole="unknown",
    ),
)


def time_alone(
    context: JobContext, img_size: ImageSize, *, batch: int | Literal["max"], min_samples: int
) -> Timed:
    """Return the timing of the job's model alone in a fresh process.

    Args:
        context: The job.
        img_size: Side of square images, or height and width, pixels.
        batch: Images of one pass, or ``"max"`` for the largest power of two that fits.
        min_samples: Number of samples that is worth some extra seconds.
    """
    size, ended_by = choose_batch(context, img_size, batch)
    request = create_request(context, img_size, batch_size=size, min_samples=min_samples)
    return timed(Workshop.of(context), request, batch=batch, ended_by=ended_by)


def timed(
    shop: Workshop, request: Request, *, batch: int | Literal["max"], ended_by: BatchEnd | None = None
) -> Timed:
    """Return the timing of a request, whose models are first brought into their runtime and checked there.

    Args:
        shop: Where that is done.
        request: The request.
        batch: The batch size as set.
        ended_by: Why the search for the largest batch ended; None without a search.

    Raises:
        MeasurementError: If a model has other logits in the runtime.
    """
    request, built = with_programs(shop, request.img_size, request)
    reply = measure(request)
    left = [one.unfused_norms for one in built if one.unfused_norms is not None]
    reply = reply.model_copy(update={"unfused_norms": sum(left)}) if left else reply
    return Timed(request, reply, timing_facets(request, reply, batch=batch), ended_by, built)


def measure(request: Request) -> Reply:
    """Return the reply to a request whose time is divided among fresh processes, one after another."""
    part = request.model_copy(update={"budget": request.budget.share()})
    return joined([run_apart(part) for _ in range(request.budget.processes)])


def choose_batch(
    context: JobContext, img_size: ImageSize, batch: int | Literal["max"]
) -> tuple[int, BatchEnd | None]:
    """Return the batch size, and why it is not larger; ``"max"`` is determined in a process of its own.

    Watchers are told both.
    """
    if isinstance(batch, int):
        return batch, None
    found = run_apart(create_request(context, img_size, action="fit"))
    size = found.batch_size or 1
    if found.batch_ended_by is not None:
        context.emit({"ev": "step", "what": f"batches of {size}: {BATCH_ENDS[found.batch_ended_by]}"})
    return size, found.batch_ended_by


def save_values(context: JobContext, metric: str, values: Values, timed: Timed) -> None:
    """Save all samples in the unit of `metric`, and whether each was disturbed."""
    import numpy as np

    save_samples(context, metric, {"samples": values, "is_disturbed": np.array(timed.reply.is_disturbed)})


def ratio_record(
    context: JobContext, img_size: ImageSize, metric: str, *, batch: int | Literal["max"], is_rate: bool
) -> Record:
    """Return the median ratio of the model to the control over pairs that were timed in turns.

    The machine and its load at the time cancel out. The seconds per pass of both are kept.

    Args:
        context: A job whose spec has a control.
        img_size: Side of square images, or height and width, pixels.
        metric: Name of the metric.
        batch: As in :func:`time_alone`; the largest that fits is determined for the model without the
            control.
        is_rate: Whether to compare rates instead of times.
    """
    import numpy as np

    size, ended_by = choose_batch(context, img_size, batch)
    request = create_request(context, img_size, batch_size=size, min_samples=PAIRS, with_control=True)
    found = timed(Workshop.of(context), request, batch=batch, ended_by=ended_by)
    candidate, control = np.array(found.reply.seconds), np.array(found.reply.control_seconds)
    is_disturbed = np.array(found.reply.is_disturbed)
    save_samples(context, metric, {"candidate": candidate, "control": control, "is_disturbed": is_disturbed})
    return found.to_record(metric, control / candidate if is_rate else candidate / control)
