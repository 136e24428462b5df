"""Set published numbers beside ours: columns of their own, and rows that only the source has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lsbench.core.units import quantity
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.statistics import Estimate


def add_published(
    columns: Sequence[Column], rows: Sequence[Row], manifest: dict[str, Any]
) -> tuple[list[Column], list[Row]]:
    """Return columns and rows with what the suite's source published.

    Each published metric has a column right of ours, or at the end where no job of the suite measures it.
    Rows that only the source has come last. Without published numbers nothing changes.
    """
    of_variant: dict[str, dict[str, float]] = manifest.get("published", {})
    only: list[dict[str, Any]] = manifest.get("published_only", [])
    metrics = dict.fromkeys(
        metric for values in (*of_variant.values(), *(row["published"] for row in only)) for metric in values
    )
    ours = {column.quantity.name for column in columns}
    added = {metric: _column(metric) for metric in metrics}
    wide: list[Column] = []
    for number, column in enumerate(columns):
        wide.append(column)
        metric = column.quantity.name
        is_last = metric not in {later.quantity.name for later in columns[number + 1 :]}
        wide += [added[metric]] if is_last and metric in added else []
    wide += [column for metric, column in added.items() if metric not in ours]
    is_comparable = manifest["preset"] == "default"
    filled = [
        _filled(row, of_variant.get(row.variant, {}), added.values(), columns if is_comparable else ())
        for row in rows
    ]
    for entry in only:
        holes = {column.key: Cell(None) for column in columns}
        row = Row(entry["name"], entry["name"], False, holes, is_published_only=True)
        filled.append(_filled(row, entry["published"], added.values(), ()))
    return wide, filled


def _column(metric: str) -> Column:
    return Column(f"{metric}_published", quantity(metric), protocol="", is_published=True)


def _filled(row: Row, values: dict[str, float], added: Any, comparable: Sequence[Column]) -> Row:
    cells = dict(row.cells)
    for column in added:
        value = values.get(column.quantity.name)
        found = None if value is None else Estimate(value, None, None, 1)
        cells[column.key] = Cell(found, gap=_gap(row, column, value, comparable))
    return replace(row, cells=cells)


def _gap(row: Row, column: Column, value: float | None, comparable: Sequence[Column]) -> float | None:
    """Return ours minus published, or None where ours is not there or was measured in more than one way."""
    shown = column.quantity
    ours = [c for c in comparable if c.quantity == shown and not c.is_delta and not c.remark]
    if value is None or shown.depends_on_machine or not ours:
        return None
    found = row.cells[ours[0].key].estimate
    return None if found is None else found.value - value


def published_notes(manifest: dict[str, Any]) -> list[str]:
    """Return what a reader must know of the published numbers of a table."""
    of_variant, only = manifest.get("published", {}), manifest.get("published_only", [])
    if not of_variant and not only:
        return []
    source = f": {manifest['source']}" if manifest.get("source") else ""
    notes = [
        f"Published numbers are not measured here{source}. In parentheses stands ours minus published; it is "
        "left out where the machine, a preset or an override makes the two no comparison."
    ]
    reasons = dict.fromkeys(row["reason"] for row in only)
    for reason in reasons:
        names = ", ".join(row["name"] for row in only if row["reason"] == reason)
        notes.append(f"Published only, not run here ({reason}): {names}.")
    return notes
