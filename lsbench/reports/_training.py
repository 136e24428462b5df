"""Write how trainings went as text: the same words in every format."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.core.quantity import Quantity, quantity
from lsbench.rendering.sparkline import sparkline
from lsbench.tables.curves import Curve
from lsbench.tables.summary import Summary
from lsbench.tables.training import SHOWN, WAITING, TrainingRow, training_notes, training_rows


def training_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return header, rows and notes of the section on trainings.

    Returns:
        None for a smoke test, and where no training has more than one epoch.
    """
    rows = [] if summary.is_smoke else training_rows(summary.curves)
    if not rows:
        return None
    metrics = [metric for metric in SHOWN if any(metric in row.curves for row in rows)]
    has_waiting = any(row.waiting is not None for row in rows)
    header = ["training", *(quantity(metric).title for metric in metrics)]
    header += [quantity(WAITING).title] if has_waiting else []
    return (
        header,
        [_row(row, metrics, has_waiting) for row in rows],
        [_legend(rows), *training_notes(summary.curves)],
    )


def _row(row: TrainingRow, metrics: Sequence[str], has_waiting: bool) -> list[str]:
    cells = [curve_text(row.curves[metric]) if metric in row.curves else "-" for metric in metrics]
    shown = quantity(WAITING)
    waiting = "-" if row.waiting is None else _number(row.waiting, shown)
    return [row.title, *cells, *([waiting] if has_waiting else [])]


def curve_text(curve: Curve) -> str:
    """Return a curve in words: its shape, then first, last and best value, each with its epoch."""
    shown = quantity(curve.metric)
    ends = " → ".join(_at(point, shown) for point in dict.fromkeys((curve.first, curve.last)))
    best = curve.best
    return f"{sparkline(curve.values)} {ends}" + (f", best {_at(best, shown)}" if best else "")


def _at(point: tuple[int, float], shown: Quantity) -> str:
    epoch, value = point
    return f"{_number(value, shown)} ({epoch})"


def _number(value: float, shown: Quantity) -> str:
    return f"{value * shown.scale:.{shown.digits}f}"


def _legend(rows: Sequence[TrainingRow]) -> str:
    seeds = sorted({row.seeds for row in rows})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    what = "one training" if seeds == [1] else f"the mean over {count} seeds"
    return f"Each curve is {what}, drawn from its least to its largest value; epochs in parentheses."
