"""Throughput: images per second in full batches, median over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.record import Record

if TYPE_CHECKING:
    from torch import nn


def throughput(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the median rate in images per second."""
    from lsbench.probes._timing import time_model, to_record

    batch_size = context.spec.batch_size
    samples = time_model(model, batch_size, img_size, context)
    return [to_record("throughput", batch_size / samples, batch_size, img_size, context)]


PROBE = throughput
