"""Draw a series of numbers as bars of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 20


def sparkline(values: Sequence[float | None], width: int = MOST_BARS) -> str:
    """Return values as bars scaled from minimum to maximum; more than `width` values are averaged.

    A missing value leaves a gap.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    >>> sparkline([5, 5]), len(sparkline(range(300)))
    ('▄▄', 20)
    >>> sparkline([1.0, 2.0, None, 3.0])
    '▁▅ █'
    """
    count = min(width, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)] if count else []
    means = [_mean(values[a:b]) for a, b in pairwise(edges)]
    known = [mean for mean in means if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(" " if mean is None else _bar(mean, low, high) for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _bar(value: float, low: float, high: float) -> str:
    return BARS[3] if high <= low else BARS[round((value - low) / (high - low) * (len(BARS) - 1))]
