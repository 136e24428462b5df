"""FLOPs: multiply-accumulates of one image, 1 MAC = 1 FLOP as the paper counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured
from lsbench.timing.image_size import ImageSize, height_and_width, size_facets

if TYPE_CHECKING:
    from torch import nn

    from lsbench.models.macs import MacCount


def count(model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
    """Return the MACs of one image, unfused and as the paper counts them, and the uncounted operators.

    ``macs`` is of the model as trained; ``macs_paper`` of the fused one. ``uncounted_ops`` is the number of
    calls of operators without a formula; the setting names them.
    """
    from lsbench.models.fusion import fuse, unfused_norms
    from lsbench.models.macs import count_macs

    size, fused = (3, *height_and_width(img_size)), fuse(model)
    found, paper = count_macs(model, size), count_macs(fused, size)
    parts = {name: macs for name, macs in found.by_module.items() if name and "." not in name}
    facets = Facets(method="fvcore", fused=False, version="1", **size_facets(img_size))
    return [
        measured("macs", float(found.total), facets=facets, setting={**_setting(found), "by_module": parts}),
        measured(
            "macs_paper",
            float(paper.total),
            facets=facets.model_copy(update={"fused": True, "unfused_norms": unfused_norms(fused)}),
            setting=_setting(paper),
        ),
        measured(
            "uncounted_ops",
            float(sum(found.uncounted.values())),
            facets=facets,
            setting={"uncounted_ops": found.uncounted},
        ),
    ]


def _setting(found: MacCount) -> dict[str, Any]:
    return {"by_operator": found.by_operator, "uncounted_ops": found.uncounted}


def _name_uncounted(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line with the operators that no count includes, or an empty list."""
    names = sorted({name for setting in settings for name in setting.get("uncounted_ops", {})})
    return [f"FLOPs leave out operators without a formula: {', '.join(names)}."] if names else []


QUANTITIES = (
    Quantity(
        "macs",
        "MAC",
        False,
        "FLOPs (G), 1 MAC = 1 FLOP",
        1e-9,
        4,
        short_title="FLOPs (G)",
        is_headline=True,
        note=_name_uncounted,
    ),
    Quantity(
        "macs_paper",
        "MAC",
        False,
        "FLOPs (G), as the paper counts: fused",
        1e-9,
        4,
        short_title="paper FLOPs (G)",
        is_headline=True,
    ),
    Quantity(
        "uncounted_ops", "count", False, "operator calls not counted", digits=0, short_title="uncounted ops"
    ),
)

PROBE = count
