"""Parameters: the number of trained values of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured

if TYPE_CHECKING:
    from torch import nn


def count_params(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the number of parameters; buffers such as running statistics are not counted."""
    total = sum(parameter.numel() for parameter in model.parameters())
    return [measured("params", float(total), facets=Facets(method="params", fused=False, version="1"))]


QUANTITIES = (Quantity("params", "count", False, "params (M)", 1e-6, 3, is_headline=True),)

PROBE = count_params
