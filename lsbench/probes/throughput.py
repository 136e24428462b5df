"""Throughput: images per second in full batches, median over passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes import Probe
from lsbench.probes._expected import throughput_images
from lsbench.probes._timing import RESOURCES

if TYPE_CHECKING:
    from torch import nn

SAMPLES = 20


def throughput(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the median rate in images per second, and its memory and energy."""
    import numpy as np

    from lsbench.probes._timing import save_values, time_alone

    timed = time_alone(context, img_size, batch=context.spec.batch_size, min_samples=SAMPLES)
    values = timed.request.batch_size / np.array(timed.reply.seconds)
    save_values(context, "throughput", values, timed)
    return [timed.to_record("throughput", values), *timed.resource_records()]


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
    *RESOURCES,
)

PROBE = Probe(throughput, throughput_images, companion="throughput_ratio")
