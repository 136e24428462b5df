"""Convolution layers: their number in a model, of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured

if TYPE_CHECKING:
    from torch import nn

QUANTITIES = (Quantity("conv_layers", "count", False, "convolution layers", digits=0),)


def conv_layers(model: nn.Module, img_size: int, context: JobContext) -> Sequence[Record]:
    """Return the number of 2D convolutions of the model in its training form."""
    from torch import nn

    total = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    return [measured("conv_layers", float(total), facets=Facets(method="layers", version="1"))]


PROBE = conv_layers
