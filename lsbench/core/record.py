"""A record: one measured number with its unit, how it was measured, and its uncertainty."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lsbench.core.facets import Facets, render_part, render_protocol
from lsbench.core.quantity import quantity
from lsbench.core.spec import StrictModel

SCHEMA_VERSION = 2
"""Version of the stored format. A record of version 1 has no facets, only the protocol text."""


class Record(StrictModel):
    """One measured number.

    A record is unique by (job id, metric, dataset, protocol). A missing value is None, never 0.
    """

    metric: str
    value: float | None
    unit: str
    n: int | None = Field(default=None, description="number of images or timed repeats behind the value")
    ci_low: float | None = None
    ci_high: float | None = None
    ci_method: str | None = None
    facets: Facets = Field(default_factory=Facets, description="how it was measured")
    protocol: str = Field(description="the facets as a short text")
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
    """Return a record of `metric` in the metric's unit.

    Args:
        metric: Name of the metric.
        value: The measured value; None if it could not be measured.
        facets: How it was measured, including the epoch or corruption if the number belongs to one.
        protocol: Protocol of the whole job, in place of the text made from its facets.
        **more: Further fields of the record.

    Raises:
        TypeError: If neither facets nor a protocol are given.

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
