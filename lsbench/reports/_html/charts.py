"""Data of a report's charts, in the units of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsbench.core.counted import counted
from lsbench.core.interval_text import possible
from lsbench.core.quantity import quantity
from lsbench.stats.seeds import Estimate
from lsbench.tables.robustness import ERROR, CorruptionFigure, robustness_rows
from lsbench.tables.summary import Summary

#: Most curve points and corruption values that a page holds; a note reports the rest.
MOST_POINTS, MOST_FIGURES = 400_000, 300_000


def chart_data(summary: Summary) -> dict[str, Any]:
    """Return learning curves, corruption values and nights of the gate, with notes on omissions."""
    curves, notes = _curves(summary)
    corruptions = _with_errors(summary.corruptions)
    if len(corruptions) > MOST_FIGURES:
        notes.append(
            f"This page holds {MOST_FIGURES} of {len(corruptions)} corruption values; "
            "the JSON report has all."
        )
    names = {curve.metric for curve in summary.curves} | {night.metric for night in summary.nights}
    names |= {figure.metric for figure in corruptions}
    return {
        "quantities": {name: _quantity(name) for name in sorted(names)},
        "curves": curves,
        "corruptions": [
            [f.variant, f.seed, f.protocol, f.corruption, f.severity, f.metric, f.value]
            for f in corruptions[:MOST_FIGURES]
        ],
        "ways": {f.protocol: f.way for f in corruptions},
        "bars": _bars(summary),
        "nights": [
            [c.variant, c.title, c.metric, c.protocol, c.dataset, c.values, c.verdicts, c.baseline, c.when]
            for c in summary.nights
        ],
        "notes": notes,
    }


def _with_errors(figures: Sequence[CorruptionFigure]) -> list[CorruptionFigure]:
    """Return the figures of classifiers: the charts are of errors, which detectors do not have."""
    protocols = {figure.protocol for figure in figures if figure.metric == ERROR}
    return [figure for figure in figures if figure.protocol in protocols]


def _quantity(name: str) -> dict[str, Any]:
    shown = quantity(name)
    return {"title": shown.title, "unit": shown.unit, "scale": shown.scale, "digits": shown.digits}


def _bars(summary: Summary) -> list[list[Any]]:
    """Return the mean error on each corruption with its interval, by variant and protocol."""
    keys = list(dict.fromkeys((f.variant, f.protocol) for f in summary.corruptions if f.metric == ERROR))
    rows = robustness_rows(summary.corruptions)
    return [
        [variant, row.title, protocol, {name: _bar(found) for name, found in row.means.items()}]
        for (variant, protocol), row in zip(keys, rows, strict=True)
    ]


def _bar(found: Estimate | None) -> list[float | None] | None:
    if found is None:
        return None
    if found.low is None or found.high is None:
        return [found.value, None, None]
    return [found.value, *possible(quantity(ERROR), found.value, found.low, found.high)]


def _curves(summary: Summary) -> tuple[list[list[Any]], list[str]]:
    found: list[list[Any]] = []
    left_out: dict[str, None] = {}
    points = 0
    for curve in summary.curves:
        points += len(curve.values)
        if points > MOST_POINTS:
            left_out[curve.title] = None
            continue
        found.append(
            [curve.variant, curve.seed, curve.protocol, curve.metric, [*curve.epochs], [*curve.values]]
        )
    if not left_out:
        return found, []
    return found, [
        f"The curves of {counted(len(left_out), 'variant')} are left out, since this page holds at most "
        f"{MOST_POINTS} points; the JSON report has all."
    ]
