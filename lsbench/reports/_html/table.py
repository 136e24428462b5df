"""The table of a summary as data: every cell as text, as a number to sort by, and with its rank."""

from __future__ import annotations

from typing import Any

from lsbench.core.interval_text import possible
from lsbench.rendering.cells import cell_text
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import job_kind, panels
from lsbench.tables.summary import Summary

#: The place of a hole; 1 and 2 are the best and the second best cell of a column.
HOLE = 3


def table_data(summary: Summary) -> dict[str, Any]:
    """Return columns and rows of a summary.

    A row is ``[variant, title, mark, cells]``, a cell ``[text, small text, value, low, high, place]``, with
    numbers in the units of records and null for missing ones.
    """
    groups = {c.key: name for name, columns in panels(summary.columns).items() for c in columns}
    return {
        "name": f"{summary.suite} ({summary.preset})",
        "baseline": summary.baseline,
        "columns": [{**_column(column), "group": groups[column.key]} for column in summary.columns],
        "rows": [
            [
                row.variant,
                row.title,
                _mark(row),
                [_cell(row.cells[column.key], column) for column in summary.columns],
            ]
            for row in summary.rows
        ],
    }


def _column(column: Column) -> dict[str, Any]:
    shown = column.quantity
    return {
        "key": column.key,
        "title": column.title,
        "metric": shown.name,
        "published_as": column.published_as,
        "unit": shown.unit,
        "scale": shown.scale,
        "digits": shown.digits,
        "better": {True: 1, False: -1, None: 0}[shown.higher_is_better],
        "protocol": column.protocol,
        "dataset": column.dataset,
        "is_cost": is_cost(column),
        "is_timed": shown.depends_on_machine and shown.is_headline,
        "role": "delta" if column.is_delta else "published" if column.is_published else "value",
    }


def is_cost(column: Column) -> bool:
    """Return True for a column of costs: its job kind uses no data.

    For published numbers that no job measures, the unit decides.
    """
    kind = job_kind(column.kind)
    if kind is None:
        return column.quantity.unit not in ("fraction", "ratio")
    return not kind.uses_data


def _mark(row: Row) -> str:
    return "baseline" if row.is_baseline else "published only" if row.is_published_only else ""


def _cell(cell: Cell, column: Column) -> list[Any]:
    text, column = cell_text(cell, column), cell.of or column
    found = cell.estimate
    place = cell.rank or 0
    if found is None:
        return [text, "", None, None, None, HOLE if cell.hole else place]
    value, _, rest = (text, "", "") if cell.text else text.partition(" ")
    low, high = found.low, found.high
    if low is not None and high is not None:
        low, high = possible(column.quantity, found.value, low, high, is_difference=column.is_delta)
    return [value, rest, found.value, low, high, place]
