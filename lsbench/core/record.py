"""A record: one measured number with its unit, protocol and uncertainty."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lsbench.core.spec import StrictModel
from lsbench.core.units import quantity

SCHEMA_VERSION = 1
_EPOCH = "|epoch="


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
    protocol: str
    dataset: str | None = None
    setting: dict[str, Any] = Field(default_factory=dict)


def measured(metric: str, value: float | None, *, protocol: str, **more: Any) -> Record:
    """Return a record of `metric` in the unit that belongs to it.

    >>> measured("top1", 0.714, protocol="val|n=10", n=10).unit
    'fraction'
    """
    return Record(metric=metric, value=value, unit=quantity(metric).unit, protocol=protocol, **more)


def epoch_protocol(protocol: str, epoch: int) -> str:
    """Return the protocol of a figure of one epoch of a training that follows `protocol`.

    >>> epoch_protocol("train|300ep|v1", 12)
    'train|300ep|v1|epoch=12'
    """
    return f"{protocol}{_EPOCH}{epoch}"


def split_epoch(protocol: str) -> tuple[str, int | None]:
    """Return the protocol of the whole training and the epoch, or None where it is no figure of an epoch.

    >>> split_epoch("train|300ep|v1|epoch=12"), split_epoch("test|n=10")
    (('train|300ep|v1', 12), ('test|n=10', None))
    """
    whole, mark, number = protocol.rpartition(_EPOCH)
    return (whole, int(number)) if mark and number.isdecimal() else (protocol, None)
