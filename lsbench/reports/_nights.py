"""Write what a gate has seen over the nights as text: a chart per metric and variant."""

from __future__ import annotations

from lsbench.core.quantity import quantity
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import Summary

HEADER = ["metric", "variant", "nights", "last", "baseline", "verdict", "alarms"]


def nights_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return header, rows and notes of the section on a suite's gate, or None if it never had one."""
    if not summary.nights:
        return None
    most = max(len(curve.values) for curve in summary.nights)
    note = f"The last {most} nights, oldest left, each drawn from its least to its largest value."
    return HEADER, [_row(curve) for curve in summary.nights], [note]


def _row(curve: NightCurve) -> list[str]:
    alarms = curve.verdicts.count("regressed")
    return [
        quantity(curve.metric).title,
        curve.title,
        curve.chart,
        _number(curve.values[-1], curve),
        _number(curve.baseline, curve),
        curve.verdicts[-1],
        f"{alarms} of {len(curve.verdicts)}",
    ]


def _number(value: float | None, curve: NightCurve) -> str:
    shown = quantity(curve.metric)
    return "-" if value is None else f"{value * shown.scale:.{shown.digits}f}"
