"""Say which values of a column are the best and the second best."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.tables.cells import Column, Row

BEST, SECOND = 1, 2


def ranks(rows: Sequence[Row], column: Column) -> list[int]:
    """Return 1 for each best value of a column, 2 for each second, 0 for all others.

    Values that look alike share a place. Nothing is ranked where no direction is better, in differences and
    in published numbers, or where fewer than two values differ.
    """
    if column.quantity.higher_is_better is None or column.is_delta or column.is_published:
        return [0] * len(rows)
    sign = -1 if column.quantity.higher_is_better else 1
    shown = [_shown(row, column) for row in rows]
    order = sorted({sign * value for value in shown if value is not None})
    if len(order) < 2:
        return [0] * len(rows)
    places = {order[0]: BEST, order[1]: SECOND}
    return [0 if value is None else places.get(sign * value, 0) for value in shown]


def _shown(row: Row, column: Column) -> float | None:
    found = row.cells[column.key].estimate
    if found is None or row.is_published_only:
        return None
    return round(found.value * column.quantity.scale, column.quantity.digits)
