"""Throughput relative to a control: rate of full batches over that of a pinned model, timed in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record
from lsbench.probes import Probe
from lsbench.probes._expected import throughput_images, throughput_seconds, with_control

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize


def throughput_ratio(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return the median ratio; over 1 the model is faster than the control."""
    from lsbench.probes._timing import ratio_record

    batch = context.spec.batch_size
    return [ratio_record(context, img_size, "throughput_ratio", batch=batch, is_rate=True)]


QUANTITIES = (
    Quantity(
        "throughput_ratio",
        "ratio",
        True,
        "throughput / control",
        digits=3,
        is_headline=True,
        is_relative_timing=True,
    ),
)

PROBE = Probe(throughput_ratio, throughput_images, with_control(throughput_seconds), has_control=True)
