"""Intervals for display: inside what is possible, and with ± only where both halves are equal."""

from __future__ import annotations

import math

from lsbench.core.quantity import Quantity

#: Halves that differ by less than this part of themselves are equal but for rounding.
ROUNDING = 1e-9


def possible(
    shown: Quantity, value: float, low: float, high: float, *, is_difference: bool = False
) -> tuple[float, float]:
    """Return the ends of an interval within what is possible: a share is never below 0 or above 1.

    >>> from lsbench.core.quantity import quantity
    >>> possible(quantity("top1"), 0.35, -1.54, 2.24), possible(quantity("latency_ms"), 7.2, -2.0, 16.4)
    ((0.0, 1.0), (-2.0, 16.4))

    Args:
        shown: The quantity, in the unit of records.
        value: The estimate; an interval of an impossible value is returned as it is.
        low: Lower end.
        high: Upper end.
        is_difference: Whether the value is a difference of two; for shares it lies within -1 and 1.
    """
    least = -1.0 if is_difference else 0.0
    if not shown.is_share or not least <= value <= 1.0:
        return low, high
    return max(low, least), min(high, 1.0)


def estimate_text(shown: Quantity, value: float, low: float | None, high: float | None) -> str:
    """Return a value with its interval: as ± if both halves look the same, else in brackets.

    >>> from lsbench.core.quantity import quantity
    >>> [estimate_text(quantity("throughput"), 815, low, 900) for low in (None, 730, 581)]
    ['815', '815 ± 85', '815 [581, 900]']

    Args:
        shown: The quantity, in the unit of records.
        value: The value.
        low: Lower end of its interval; None if it has none.
        high: Upper end.
    """
    text = _number(shown, value)
    if low is None or high is None:
        return text
    low, high = possible(shown, value, low, high)
    below, above = (value - low) * shown.scale, (high - value) * shown.scale
    half = (below + above) / 2
    digits = shown.digits if half < 100 else 0
    is_even = f"{below:.{digits}f}" == f"{above:.{digits}f}" or math.isclose(below, above, rel_tol=ROUNDING)
    return (
        f"{text} ± {half:.{digits}f}"
        if is_even
        else f"{text} [{_number(shown, low)}, {_number(shown, high)}]"
    )


def _number(shown: Quantity, value: float) -> str:
    return f"{value * shown.scale:.{shown.digits}f}"
