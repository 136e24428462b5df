"""The table of a summary as data: every cell as text, as a number to sort by, and with its rank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lsbench.core.facets import runtime_words
from lsbench.core.interval_text import possible
from lsbench.rendering.cells import cell_text
from lsbench.rendering.markdown import escape
from lsbench.reports._frame import csv_cells, to_frame
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import job_kind, panels
from lsbench.tables.summary import FRAME_SUFFIXES, Summary

#: The place of a hole; 1 and 2 are the best and the second best cell of a column.
HOLE = 3


def table_data(summary: Summary) -> dict[str, Any]:
    """Return columns and rows of a summary.

    A row is ``[variant, title, mark, cells, csv]``, a cell ``[text, small text, value, low, high, place]``,
    with numbers in the units of records and null for missing ones. ``csv`` are the cells of the CSV report,
    whose header is ``csv_titles``; the ``csv`` of a column are the places of its own, ``csv_always`` are
    the others.
    ``markdown`` has the texts that Markdown would not show as they are, each with its escaped form.
    """
    groups = {c.key: name for name, columns in panels(summary.columns).items() for c in columns}
    frame = to_frame([summary])
    csv_titles, *csv_rows = csv_cells(frame)
    places = _csv_places(list(frame.columns), summary)
    rows = [
        [row.variant, row.title, _mark(row), [_cell(row.cells[c.key], c) for c in summary.columns], fields]
        for row, fields in zip(summary.rows, csv_rows, strict=True)
    ]
    return {
        "name": f"{summary.suite} ({summary.preset})",
        "row_kind": summary.row_kind,
        "baseline": summary.baseline,
        "columns": [
            {**_column(column), "group": groups[column.key], "csv": places[column.key]}
            for column in summary.columns
        ],
        "rows": rows,
        "csv_titles": csv_titles,
        "csv_always": [n for n in range(len(csv_titles)) if not any(n in of for of in places.values())],
        "markdown": _escaped(summary, rows),
    }


def _csv_places(names: list[str], summary: Summary) -> dict[str, list[int]]:
    """Return column key -> the places of its cells in a line of the CSV report."""
    own = {
        f"{column.key}{suffix}": column.key
        for suffix in reversed(FRAME_SUFFIXES)
        for column in summary.columns
    }
    places: dict[str, list[int]] = {column.key: [] for column in summary.columns}
    for number, name in enumerate(names):
        if name in own:
            places[own[name]].append(number)
    return places


def _escaped(summary: Summary, rows: list[list[Any]]) -> dict[str, str]:
    texts = [summary.row_kind, *(column.title for column in summary.columns)]
    texts += [
        text for row in rows for text in (row[1], row[2], *(part for cell in row[3] for part in cell[:2]))
    ]
    return {text: shown for text in dict.fromkeys(texts) if (shown := escape(text)) != text}


def legend(rows: list[list[Any]]) -> dict[str, bool]:
    """Return which marks the cells of some rows of :func:`table_data` have: best, second and interval."""
    cells = [cell for row in rows for cell in row[3]]
    places = {cell[5] for cell in cells}
    return {
        "best": 1 in places,
        "second": 2 in places,
        "interval": any(cell[3] is not None for cell in cells),
    }


def _column(column: Column) -> dict[str, Any]:
    shown = column.quantity
    return {
        "key": column.key,
        "title": column.title,
        "plain_title": replace(column, remark="").title,
        # Counts are the same in every runtime.
        "runtime": runtime_words(column.facets) if column.protocol and not shown.is_counted else "",
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
