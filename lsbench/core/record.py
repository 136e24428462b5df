"""A record: one measured number with its unit, how it was measured, and its uncertainty."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lsbench.core.facets import Facets, render_part, render_protocol
from lsbench.core.quantity import quantity
from lsbench.core.spec import StrictModel

SCHEMA_VERSION = 2
"""Version of what is stored. A record of version 1 has no facets, only the text that people see."""


class Record(StrictModel):
    """One measured number.

    A record is unique by (job id, metric, dataset, protocol). What was not measured is None, never 0.
    """

    metric: str
    value: float | None
    unit: str
    n: int | None = Field(default=None, description="number of images or timed repeats behind the value")
    ci_low: float | None = None
    ci_high: float | None = None
    ci_method: str | None = None
    facets: Facets = Field(default_factory=Facets, description="how it was measured")
    protocol: str = Field(description="the same as a short text for people")
    dataset: str | None = None
    setting: dict[str, Any] = Field(default_factory=dict)


def measured(
    metric: str,
    value: float | None,
    *,
    facets: Facets | None = None,
    protocol: str | None = None,
    **more: Any,
) -> Record:
    """Return a record of `metric` in the unit that belongs to it.

    Args:
        metric: Name of the metric.
        value: What was measured; None where it could not be.
        facets: How it was measured. A number of one epoch, or of one corruption, says so here.
        protocol: Text that says how the whole job measures, in place of the one that its facets give.
        **more: Further fields of the record.

    Raises:
        TypeError: If neither facets nor a protocol say how it was measured.

    >>> measured("top1", 0.714, facets=Facets(split="val", n=10), n=10).protocol
    'val|n=10'
    >>> measured("val_top1", 0.714, protocol="mine|v2", facets=Facets(epoch=3)).protocol
    'mine|v2|epoch=3'
    """
    if facets is None and protocol is None:
        raise TypeError(f"{metric}: expected facets, a protocol or both, found neither")
    told = facets or Facets()
    text = render_protocol(told) if protocol is None else protocol + render_part(told)
    return Record(metric=metric, value=value, unit=quantity(metric).unit, facets=told, protocol=text, **more)
