"""The number that matters most of a job that has ended, for its line in the progress."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lsbench.core.errors import LsbenchError
from lsbench.core.quantity import quantity
from lsbench.core.registry import JOBS
from lsbench.store.results import facets_of

#: At most this many of the numbers that a kind of job is run for.
MOST = 2
_TITLE = re.compile(r"(?P<name>.+?) \((?P<unit>[^)]+)\)")


def headline(kind: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return the numbers that a kind of job is run for, or its first share or number; empty without any.

    >>> headline("evaluate", [{"metric": "top1", "value": 0.7517, "protocol": "test|v1"}])
    'top-1 75.17 %'
    """
    values: dict[str, float] = {}
    for record in records:
        is_new = record["value"] is not None and record["metric"] not in values
        if is_new and not facets_of(record).is_of_a_part:
            values[record["metric"]] = record["value"]
    usual = [name for name in _usual(kind) if name in values]
    if not usual:
        usual = sorted(values, key=lambda name: quantity(name).unit != "fraction")[:1]
    return ", ".join(number_words(name, values[name]) for name in usual[:MOST])


def _usual(kind: str) -> tuple[str, ...]:
    try:
        return tuple(JOBS.load(kind).usual)
    except LsbenchError:
        return ()


def number_words(name: str, value: float) -> str:
    """Return a measured number as words.

    >>> number_words("top1", 0.7517)
    'top-1 75.17 %'
    """
    shown = quantity(name)
    title = shown.short_title or shown.title
    found = _TITLE.match(title)
    number = f"{value * shown.scale:.{shown.digits}f}"
    return f"{found['name']} {number} {found['unit']}" if found else f"{title} {number}"
