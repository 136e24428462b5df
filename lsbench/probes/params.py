"""Parameters: the number of trained values of a model, as trained and fused for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured

if TYPE_CHECKING:
    from torch import nn

    from lsbench.timing.image_size import ImageSize


def count_params(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return the number of parameters, as trained and fused; buffers such as statistics do not count."""
    from lsbench.models.fusion import fuse, unfused_norms

    fused = fuse(model)
    facets = Facets(method="params", fused=False, version="1")
    of_fused = facets.model_copy(update={"fused": True, "unfused_norms": unfused_norms(fused)})
    return [
        measured("params", float(_count(model)), facets=facets),
        measured("params_fused", float(_count(fused)), facets=of_fused),
    ]


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


QUANTITIES = (
    Quantity("params", "count", False, "params (M)", 1e-6, 3, is_headline=True),
    Quantity(
        "params_fused",
        "count",
        False,
        "params (M), fused",
        1e-6,
        3,
        short_title="fused params (M)",
        is_headline=True,
    ),
)

PROBE = count_params
