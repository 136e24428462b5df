"""Write the errors on each corruption as text: the same words in every format."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.core.quantity import quantity
from lsbench.corruptions import in_order
from lsbench.tables.robustness import ERROR, RobustnessRow, robustness_notes, robustness_rows
from lsbench.tables.summary import Summary

DIGITS = 1


def robustness_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return header, rows and notes of the section on corruptions.

    Returns:
        None where no job has tested on corrupted images.
    """
    rows = robustness_rows(summary.corruptions)
    if not rows:
        return None
    names = in_order(name for row in rows for name in row.errors)
    header = ["error (%)", *(name.replace("_", " ") for name in names)]
    return (
        header,
        [[row.title, *(_cell(row, name) for name in names)] for row in rows],
        [*_legend(rows), *robustness_notes(summary.corruptions)],
    )


def _cell(row: RobustnessRow, name: str) -> str:
    if name not in row.errors:
        return "-"
    found = row.errors[name]
    if found is None:
        return "withheld"
    text = f"{found.value * quantity(ERROR).scale:.{DIGITS}f}"
    return text if found.n == row.seeds else f"{text} ({found.n} of {row.seeds} seeds)"


def _legend(rows: Sequence[RobustnessRow]) -> list[str]:
    seeds = max(row.seeds for row in rows)
    over = "the severities" if seeds == 1 else f"the severities and {seeds} seeds"
    protocols = dict.fromkeys(row.protocol for row in rows)
    return [f"Mean top-1 error over {over}: {protocol}." for protocol in protocols]
