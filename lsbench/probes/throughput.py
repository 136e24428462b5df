"""Throughput: images per second in full batches, median over passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes import Probe
from lsbench.probes._expected import throughput_images, throughput_seconds
from lsbench.probes._programs import QUANTITIES as CHECKS
from lsbench.probes._timing import RESOURCES

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize
    from lsbench.timing.records import Timed, Values

SAMPLES = 20


def throughput(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return the median rate in images per second, and its memory and energy."""
    from lsbench.probes._timing import save_values, time_alone

    timed = time_alone(context, img_size, batch=context.spec.batch_size, min_samples=SAMPLES)
    save_values(context, "throughput", values_of(timed), timed)
    return throughput_records(timed)


def throughput_records(timed: Timed) -> list[Record]:
    """Return rate, memory and energy of a timing of batches."""
    return [
        timed.to_record("throughput", values_of(timed)),
        *timed.check_records(),
        *timed.resource_records(),
    ]


def values_of(timed: Timed) -> Values:
    """Return all samples in images per second."""
    import numpy as np

    rates: Values = timed.request.batch_size / np.array(timed.reply.seconds)
    return rates


QUANTITIES = (
    Quantity(
        "throughput",
        "image/s",
        True,
        "throughput (img/s)",
        digits=0,
        depends_on_machine=True,
        is_headline=True,
    ),
    *CHECKS,
    *RESOURCES,
)

PROBE = Probe(throughput, throughput_images, throughput_seconds, companion="throughput_ratio")
