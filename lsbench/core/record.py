"""A record: one measured number with its unit, protocol and uncertainty."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lsbench.core.quantity import quantity
from lsbench.core.spec import StrictModel

SCHEMA_VERSION = 1
_EPOCH = "|epoch="
_CORRUPTION = "|corruption="


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


def corruption_protocol(protocol: str, corruption: str, severity: int | None = None) -> str:
    """Return the protocol of a figure of one corruption, at one severity or over all, of `protocol`.

    >>> corruption_protocol("imagenet-c-live|n=10|v1", "fog", 3)
    'imagenet-c-live|n=10|v1|corruption=fog/3'
    """
    return f"{protocol}{_CORRUPTION}{corruption}" + ("" if severity is None else f"/{severity}")


def split_corruption(protocol: str) -> tuple[str, str | None, int | None]:
    """Return the whole protocol, the corruption and the severity, or None where the figure is of neither.

    >>> split_corruption("c|v1|corruption=fog/3"), split_corruption("c|v1|corruption=fog")
    (('c|v1', 'fog', 3), ('c|v1', 'fog', None))
    >>> split_corruption("test|n=10")
    ('test|n=10', None, None)
    """
    whole, mark, cell = protocol.rpartition(_CORRUPTION)
    if not mark:
        return protocol, None, None
    corruption, _, severity = cell.partition("/")
    return whole, corruption, int(severity) if severity else None


def is_of_a_part(protocol: str) -> bool:
    """Return whether a figure is of a part of its job alone: an epoch, or a corruption.

    >>> [is_of_a_part(protocol) for protocol in ("test|n=10", "t|epoch=3", "c|corruption=fog/3")]
    [False, True, True]
    """
    return split_epoch(protocol)[1] is not None or split_corruption(protocol)[1] is not None
