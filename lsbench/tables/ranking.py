"""Find the best and the second best value of each column, so that every format marks the same cells.

A rank orders means and is no significance test; see the intervals for that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from lsbench.tables.cells import Cell, Column, Row


def ranked(columns: Sequence[Column], rows: Sequence[Row], *, on_one_machine: bool = True) -> list[Row]:
    """Return the rows with ranks in the cells that are best or second best of their column.

    Values that look equal when rounded share a rank. No ranks are given in columns of differences or
    published numbers, without a known direction, or with equal values only; nor in machine-dependent columns
    unless everything was timed on one machine. Means over fewer seeds than expected are skipped.
    """
    wanted = [column for column in columns if on_one_machine or not column.quantity.depends_on_machine]
    return _marked(wanted, rows)


def reranked(columns: Sequence[Column], rows: Sequence[Row], among: Sequence[Row]) -> list[Row]:
    """Return rows selected from `among` with new ranks, in the columns that were ranked before."""
    wanted = [column for column in columns if any(row.cells[column.key].rank for row in among)]
    return _marked(wanted, rows)


def _marked(columns: Sequence[Column], rows: Sequence[Row]) -> list[Row]:
    ranks = {column.key: _ranks(column, [row.cells[column.key] for row in rows]) for column in columns}
    return [
        replace(
            row,
            cells={
                key: replace(cell, rank=ranks[key][place] if key in ranks else None)
                for key, cell in row.cells.items()
            },
        )
        for place, row in enumerate(rows)
    ]


def _ranks(column: Column, cells: Collection[Cell]) -> list[int | None]:
    direction = column.quantity.higher_is_better
    if direction is None or column.is_delta or column.is_published:
        return [None] * len(cells)
    shown = [_shown(column, cell) for cell in cells]
    best = sorted({value for value in shown if value is not None}, reverse=direction)[:2]
    if len(best) < 2:
        return [None] * len(cells)
    return [best.index(value) + 1 if value in best else None for value in shown]


def _shown(column: Column, cell: Cell) -> float | None:
    """Return the value as rounded for display, or None if the cell is not ranked."""
    if cell.estimate is None or cell.estimate.n < cell.expected:
        return None
    return round(cell.estimate.value * column.quantity.scale, column.quantity.digits)
