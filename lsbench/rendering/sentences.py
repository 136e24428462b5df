"""Comparisons as sentences: the better variant, the difference, its interval, and the detectable effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lsbench.core.quantity import Quantity
from lsbench.tables.comparisons import Comparison


def sentence(one: Comparison) -> str:
    """Return a comparison as a sentence: better by how much, or not distinguishable from chance."""
    found, shown = one.difference, one.quantity
    if found.low is None or found.high is None:
        amount = _number(found.value, shown, shown.digits, sign="+")
        return f"{one.title} against {one.other}: {amount} {unit(shown)}; no interval, so it may be chance"
    if found.low == found.high == 0:
        return f"{one.title} and {one.other}: exactly equal"
    digits = _digits((found.high - found.low) / 2, shown)
    if one.is_told_apart:
        names = (one.title, one.other) if one.is_better else (one.other, one.title)
        sign = 1 if found.value > 0 else -1
        amount = f"{_number(abs(found.value), shown, digits)} {unit(shown)}"
        ends = sorted((sign * found.low, sign * found.high))
        interval = " to ".join(_number(end, shown, digits) for end in ends)
        return f"{names[0]} is better than {names[1]} by {amount}, 95 % interval {interval}"
    low, high = (_number(end, shown, digits, sign="+") for end in (found.low, found.high))
    amount = f"{_number(found.value, shown, digits, sign='+')} {unit(shown)}, 95 % interval {low} to {high}"
    return f"{one.title} and {one.other} cannot be told apart: {amount}{_could(one)}"


def _could(one: Comparison) -> str:
    """Return the remark on the smallest true difference that these data would reveal."""
    if one.detectable is None:
        return ""
    shown = one.quantity
    smallest = _number(one.detectable, shown, _digits(one.detectable, shown))
    return f"; a true difference of {smallest} {unit(shown)} would be detected in 80 % of cases"


def unit(shown: Quantity) -> str:
    """Return the unit that follows a difference of a quantity.

    >>> from lsbench.core.quantity import quantity
    >>> [unit(quantity(name)) for name in ("top1", "mce", "train_loss")]
    ['points', 'points of mCE', 'of train loss']
    """
    name = shown.title.partition(" (")[0]
    if shown.scale != 100:
        return f"of {name}"
    return "points" if shown.name == "top1" else f"points of {name}"


def base(one: Comparison) -> str:
    """Return the numbers of seeds and images behind a comparison."""
    found = one.difference
    seeds = "one seed" if found.seeds == 1 else f"{found.seeds} seeds"
    return f"{seeds}, {found.images:,} images" if found.images else seeds


def p_text(p_value: float | None) -> str:
    """Return a p value as text.

    >>> [p_text(p) for p in (None, 1.0, 0.0432, 0.00321, 1e-9)]
    ['-', '1.00', '0.043', '0.0032', '< 0.0001']
    """
    if p_value is None:
        return "-"
    if p_value < 0.0001:
        return "< 0.0001"
    return f"{p_value:.{2 if p_value >= 0.1 else 3 if p_value >= 0.01 else 4}f}"


def comparison_notes(compared: Sequence[Comparison]) -> list[str]:
    """Return the notes below a table of comparisons."""
    tested = max((one.family for one in compared), default=0)
    notes = []
    if tested:
        notes.append(
            f"Told apart: p of at most 0.05 after Holm's adjustment for the {tested} comparison"
            f"{'s' if tested > 1 else ''} of the table. The intervals are not adjusted."
        )
    if any(one.difference.images and one.difference.seeds > 1 for one in compared):
        notes.append("Seeds and images are both treated as random draws, and paired.")
    if any(one.difference.images and one.difference.seeds == 1 for one in compared):
        notes.append(
            "One seed: exact McNemar test and paired bootstrap over images. They cover these trained models, "
            "not retraining."
        )
    for reason in dict.fromkeys(one.reason for one in compared if one.reason):
        names = ", ".join(dict.fromkeys(one.title for one in compared if one.reason == reason))
        notes.append(f"Over seeds only, since {reason}: {names}.")
    return notes


def _digits(width: float, shown: Quantity) -> int:
    """Return the number of decimals that shows two significant digits of the uncertainty `width`."""
    size = round(abs(width) * shown.scale, 9)
    if size == 0 or not math.isfinite(size):
        return shown.digits
    return min(max(1 - math.floor(math.log10(size)), 0), max(shown.digits, 1))


def _number(value: float, shown: Quantity, digits: int, *, sign: str = "") -> str:
    return f"{value * shown.scale + 0.0:{sign}.{digits}f}"
