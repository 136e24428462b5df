"""A row of numbers as bars of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 20


def sparkline(values: Sequence[float], width: int = MOST_BARS) -> str:
    """Return values as bars between their least and their largest; more than `width` are averaged.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    >>> sparkline([5, 5]), len(sparkline(range(300)))
    ('▄▄', 20)
    """
    count = min(width, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)] if count else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = (min(means), max(means)) if means else (0.0, 0.0)
    if high <= low:
        return BARS[3] * len(means)
    return "".join(BARS[round((mean - low) / (high - low) * (len(BARS) - 1))] for mean in means)
