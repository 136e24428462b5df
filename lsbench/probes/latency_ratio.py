"""Latency relative to a control: time per image over that of a pinned model, timed in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes import Probe
from lsbench.probes._expected import latency_images, latency_seconds, with_control

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize


def latency_ratio(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return the median ratio; under 1 the model is faster than the control."""
    from lsbench.probes._timing import ratio_record

    return [ratio_record(context, img_size, "latency_ratio", batch=1, is_rate=False)]


QUANTITIES = (
    Quantity(
        "latency_ratio",
        "ratio",
        False,
        "latency / control",
        digits=3,
        is_headline=True,
        is_relative_timing=True,
    ),
)

PROBE = Probe(latency_ratio, latency_images, with_control(latency_seconds), has_control=True)
