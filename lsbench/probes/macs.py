"""FLOPs: multiply-accumulates of one image, 1 MAC = 1 FLOP as the paper counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured

if TYPE_CHECKING:
    from torch import nn


def count(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the MACs of one image; operators that nobody could count are listed in the setting."""
    from lsbench.models.macs import count_macs

    found = count_macs(model, (3, img_size, img_size))
    setting = {"by_operator": found.by_operator, "uncounted_ops": found.uncounted}
    protocol = f"fvcore|unfused|res={img_size}|v1"
    return [measured("macs", float(found.total), protocol=protocol, setting=setting)]


PROBE = count
