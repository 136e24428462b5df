"""Add published numbers to a summary: columns beside ours, and rows that only the source has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lsbench.core.facets import Facets, render_protocol
from lsbench.core.quantity import published_text, quantity
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import FURTHER


def add_published(
    columns: Sequence[Column], rows: Sequence[Row], manifest: dict[str, Any]
) -> tuple[list[Column], list[Row]]:
    """Return columns and rows with the published numbers of the suite's source added.

    Each published metric has a column to the right of ours under the same protocol, or after all headlines
    if no job of the suite measures it. Rows that only the source has come last.
    """
    of_variant: dict[str, dict[str, float]] = manifest.get("published", {})
    only: list[dict[str, Any]] = manifest.get("published_only", [])
    added = {metric: _column(metric) for metric in _metrics(manifest)}
    headlines = [number for number, column in enumerate(columns) if column.panel != FURTHER]
    end = headlines[-1] if headlines else -1
    places = {metric: _place(metric, columns, end) for metric in added}
    wide = [added[metric] for metric, place in places.items() if place == -1]
    for number, column in enumerate(columns):
        wide += [column, *(added[metric] for metric, place in places.items() if place == number)]
    is_comparable = manifest["preset"] == manifest.get("published_preset", "default")
    filled = [
        _filled(row, of_variant.get(row.variant, {}), added.values(), columns if is_comparable else ())
        for row in rows
    ]
    for entry in only:
        holes = {column.key: Cell(None) for column in columns}
        row = Row(entry["name"], entry["name"], False, holes, is_published_only=True)
        filled.append(_filled(row, entry["published"], added.values(), ()))
    return wide, filled


def _metrics(manifest: dict[str, Any]) -> list[str]:
    """Return all published metrics of the suite's source."""
    rows = [*manifest.get("published", {}).values()]
    rows += [row["published"] for row in manifest.get("published_only", [])]
    return list(dict.fromkeys(metric for row in rows for metric in row))


def _ours(metric: str, columns: Sequence[Column]) -> tuple[list[Column], list[Column]]:
    """Return our columns of a published metric, and those among them under its usual protocol."""
    ours = [column for column in columns if column.published_as == metric]
    return ours, [c for c in ours if c.facets.has_all_of(quantity(metric).published_under)]


def _place(metric: str, columns: Sequence[Column], end: int) -> int:
    """Return the index of the column that a published metric follows: ours, or `end` if we have none."""
    ours, usual = _ours(metric, columns)
    return columns.index((usual or ours)[-1]) if ours else end


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
    """Return ours minus published, or None if ours is missing or not comparable."""
    _, usual = _ours(column.quantity.name, [c for c in comparable if not c.is_delta])
    if value is None or column.quantity.depends_on_machine or len(usual) != 1:
        return None
    found = row.cells[usual[0].key].estimate
    return None if found is None else found.value - value


def published_notes(
    columns: Sequence[Column], shown: Sequence[Column], manifest: dict[str, Any]
) -> list[str]:
    """Return the notes on published numbers.

    Args:
        columns: All columns of ours.
        shown: The columns that are shown, with the published ones among them.
        manifest: The suite's manifest.
    """
    only = manifest.get("published_only", [])
    metrics = [column.quantity.name for column in shown if column.is_published]
    if not metrics:
        return []
    source = f" (source: {manifest['source']})" if manifest.get("source") else ""
    notes = [
        f"Published numbers were not measured here{source}. In parentheses: ours minus published, omitted "
        "where machine, preset or overrides rule out a comparison."
    ]
    for metric in (metric for metric in metrics if quantity(metric).published_under != Facets()):
        ours, usual = _ours(metric, [column for column in columns if column.protocol])
        if ours and not usual:
            notes.append(
                f"{_column(metric).title}: not compared, since ours has another protocol than "
                f"{render_protocol(quantity(metric).published_under)}."
            )
    titles = {entry["variant"]: entry["title"] for entry in manifest["jobs"]}
    logs = {titles.get(name, name): values for name, values in manifest.get("published_logs", {}).items()}
    notes += log_notes(metrics, logs)
    reasons = dict.fromkeys(row["reason"] for row in only)
    for reason in reasons:
        names = ", ".join(row["name"] for row in only if row["reason"] == reason)
        notes.append(f"Published only, not run here ({reason}): {names}.")
    return notes


def log_notes(metrics: Sequence[str], logs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a note for each published model whose log has other numbers than the table.

    Args:
        metrics: Those that are shown.
        logs: Title of a row -> metric -> value.
    """
    found = []
    for title, values in logs.items():
        parts = [
            f"{quantity(name).title.partition(',')[0]} {published_text(quantity(name), values[name])}"
            for name in metrics
            if name in values
        ]
        if parts:
            found.append(f"The log of the published {title} has {', '.join(parts)}.")
    return found
