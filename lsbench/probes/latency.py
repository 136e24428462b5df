"""Latency: time per image, as median, 90th and 99th percentile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes import Probe
from lsbench.probes._expected import latency_images, latency_seconds
from lsbench.probes._programs import QUANTITIES as CHECKS
from lsbench.probes._timing import RESOURCES

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize
    from lsbench.timing.records import Timed, Values

SAMPLES = 400
"""Least number of timed passes, if time allows: a 99th percentile takes 368."""
SHARES = {"latency_ms": 0.5, "latency_p90_ms": 0.9, "latency_p99_ms": 0.99}


def latency(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return percentiles of the time of a batch of one in milliseconds, and its memory and energy."""
    from lsbench.probes._timing import save_values, time_alone

    timed = time_alone(context, img_size, batch=1, min_samples=SAMPLES)
    save_values(context, "latency_ms", values_of(timed), timed)
    return latency_records(timed)


def latency_records(timed: Timed) -> list[Record]:
    """Return percentiles, memory and energy of a timing of single images."""
    values = values_of(timed)
    found = [timed.to_record(metric, values, share=share) for metric, share in SHARES.items()]
    return [*found, *timed.check_records(), *timed.resource_records()]


def values_of(timed: Timed) -> Values:
    """Return all samples in milliseconds."""
    import numpy as np

    return np.array(timed.reply.seconds) * 1e3


QUANTITIES = (
    Quantity("latency_ms", "ms", False, "latency (ms)", depends_on_machine=True, is_headline=True),
    Quantity(
        "latency_p90_ms",
        "ms",
        False,
        "latency, 90th percentile (ms)",
        depends_on_machine=True,
        short_title="latency p90 (ms)",
    ),
    Quantity(
        "latency_p99_ms",
        "ms",
        False,
        "latency, 99th percentile (ms)",
        depends_on_machine=True,
        short_title="latency p99 (ms)",
    ),
    *CHECKS,
    *RESOURCES,
)

PROBE = Probe(latency, latency_images, latency_seconds, companion="latency_ratio")
