"""Latency: the time of one image, median over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.record import Record

if TYPE_CHECKING:
    from torch import nn


def latency(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the median time of a batch of one, in milliseconds."""
    from lsbench.probes._timing import time_model, to_record

    samples = time_model(model, 1, img_size, context)
    return [to_record("latency_ms", samples * 1e3, 1, img_size, context)]


PROBE = latency
