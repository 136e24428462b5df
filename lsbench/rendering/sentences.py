"""Comparisons as sentences: the better variant, the difference, its interval, and the detectable effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lsbench.core.interval_text import possible
from lsbench.core.quantity import Quantity
from lsbench.stats.power import MOST_SEEDS
from lsbench.tables.comparisons import FEW, Comparison


def sentence(one: Comparison) -> str:
    """Return a comparison as a sentence: better by how much, or not distinguishable from chance."""
    found, shown = one.difference, one.quantity
    if found.low is None or found.high is None:
        amount = _number(found.value, shown, shown.digits, sign="+")
        return f"{one.title} against {one.other}: {amount} {unit(shown)}; no interval, so it may be chance"
    if found.low == found.high == 0:
        return f"{one.title} and {one.other}: exactly equal"
    ends = possible(shown, found.value, found.low, found.high, is_difference=True)
    digits = _digits((ends[1] - ends[0]) / 2, shown)
    if one.is_told_apart:
        names = (one.title, one.other) if one.is_better else (one.other, one.title)
        sign = 1 if found.value > 0 else -1
        amount = f"{_number(abs(found.value), shown, digits)} {unit(shown)}"
        interval = " to ".join(_number(end, shown, digits) for end in sorted(sign * end for end in ends))
        return f"{names[0]} is better than {names[1]} by {amount}, 95 % interval {interval}"
    low, high = (_number(end, shown, digits, sign="+") for end in ends)
    amount = f"{_number(found.value, shown, digits, sign='+')} {unit(shown)}, 95 % interval {low} to {high}"
    if one.cannot_tell:
        return f"{one.title} against {one.other}: two seeds cannot tell: {amount}"
    return f"{one.title} and {one.other} cannot be told apart: {amount}{_could(one)}"


def _could(one: Comparison) -> str:
    """Return the remark on what would reveal a true difference: its size or, from three seeds, more seeds."""
    shown = one.quantity
    if one.family and one.difference.seeds > FEW and one.difference.error:
        return f"; {_seeds(one)}"
    if one.detectable is None or (shown.is_share and one.detectable > 1):
        return ""
    smallest = _number(one.detectable, shown, _digits(one.detectable, shown))
    return f"; a true difference of {smallest} {unit(shown)} would be detected in 80 % of cases"


def _seeds(one: Comparison) -> str:
    """Return how many seeds would find a difference of one point, and one of the size seen."""
    if not one.quantity.is_share:
        return f"{_count(one.seeds_for_seen)} would find a difference of the size seen in 80 % of runs"
    point = unit(one.quantity).replace("points", "point")
    of_point, of_seen = one.seeds_for_point, one.seeds_for_seen
    words = f"{_count(of_point)} would find a difference of 1 {point}"
    if not one.difference.value:
        return f"{words} in 80 % of runs"
    if of_point == of_seen:
        return f"{words}, or of the size seen, in 80 % of runs"
    return f"{words} in 80 % of runs, {_count(of_seen)} one of the size seen"


def _count(seeds: int | None) -> str:
    return f"not even {MOST_SEEDS:,} seeds" if seeds is None else f"{seeds:,} seed{'' if seeds == 1 else 's'}"


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
    return f"{seeds}, {found.images:,} image{'' if found.images == 1 else 's'}" if found.images else seeds


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
    notes += _one_seed_notes(
        [one.quantity for one in compared if one.difference.images and one.difference.seeds == 1]
    )
    on_images = [one for one in compared if one.quantity.is_per_image or one.quantity.is_resampled]
    for reason in dict.fromkeys(one.reason for one in on_images if one.reason):
        names = ", ".join(dict.fromkeys(one.title for one in on_images if one.reason == reason))
        notes.append(f"Over seeds only, since {reason}: {names}.")
    return notes


def _one_seed_notes(shown: Sequence[Quantity]) -> list[str]:
    """Return a note for each test of two trained models on the same images, with what it covers."""
    notes = []
    if any(not one.is_resampled for one in shown):
        notes.append(
            "One seed: exact McNemar test and paired bootstrap over images. They cover these trained models "
            "on other images, not retraining."
        )
    if names := dict.fromkeys(one.title.partition(" (")[0] for one in shown if one.is_resampled):
        notes.append(
            f"One seed, {', '.join(names)}: interval and p are of a paired bootstrap over images. They cover "
            "these trained models on other images, not retraining."
        )
    return notes


def _digits(width: float, shown: Quantity) -> int:
    """Return the number of decimals that shows two significant digits of the uncertainty `width`."""
    size = round(abs(width) * shown.scale, 9)
    if size == 0 or not math.isfinite(size):
        return shown.digits
    return min(max(1 - math.floor(math.log10(size)), 0), max(shown.digits, 1))


def _number(value: float, shown: Quantity, digits: int, *, sign: str = "") -> str:
    return f"{value * shown.scale + 0.0:{sign}.{digits}f}"
