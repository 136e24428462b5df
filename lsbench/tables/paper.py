"""The paper's tables in its own order of columns and rows, with ours beside the published numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lsbench.core.quantity import quantity
from lsbench.stats.seeds import Estimate
from lsbench.store.standing import WAITING
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.published.columns import log_notes
from lsbench.tables.ranking import ranked
from lsbench.tables.summary import Summary, Told

DATA = Path(__file__).with_name("paper_tables.json")
SOURCE = "LSNet: See Large, Focus Small, CVPR 2025, arXiv:2503.23135"
NUMBERS = range(1, 10)


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper as printed.

    Attributes:
        number: The table's number in the paper.
        title: The table's subject.
        metrics: Metrics of its columns, named as in records.
        not_run: Names of the rows that lsbench cannot run.
        rows: Name of a row -> metric -> published value in the unit of records; None if the cell is empty.
        run_in_part: Name of a row that lsbench can only run in part -> metrics that it can measure.
        logs: Name of a row -> metric -> value in the log of the published model, where that is another.
    """

    number: int
    title: str
    metrics: list[str]
    not_run: list[str]
    rows: dict[str, dict[str, float | None]]
    run_in_part: dict[str, list[str]]
    logs: dict[str, dict[str, float]]

    @property
    def suite(self) -> str:
        """The suite that measures it; its rows have the paper's names."""
        return f"paper_table{self.number}"


@cache
def paper_table(number: int) -> PaperTable:
    """Return a table of the paper, 1 to 9.

    >>> paper_table(7).rows["w/o LKP"]
    {'macs_paper': 310000000.0, 'top1': 0.705}
    """
    found = json.loads(DATA.read_text(encoding="utf-8"))[str(number)]
    metrics: list[str] = found["metrics"]
    rows = {
        name: dict(zip(metrics, map(_stored, metrics, values), strict=True))
        for name, *values in found["rows"]
    }
    logs = {
        name: {metric: printed / quantity(metric).scale for metric, printed in values.items()}
        for name, values in found.get("logs", {}).items()
    }
    in_part = found.get("run_in_part", {})
    return PaperTable(number, found["title"], metrics, found["not_run"], rows, in_part, logs)


def _stored(metric: str, printed: float | None) -> float | None:
    """Return a printed value in the unit of records, without rounding noise."""
    return None if printed is None else float(f"{printed / quantity(metric).scale:.12g}")


def paper_summary(number: int, ours: Summary | None) -> Summary:
    """Return a table of the paper beside our results; cells that were not measured are holes.

    Args:
        number: 1 to 9.
        ours: The summary of the suite that measures the table; None if the suite was never run.
    """
    table = paper_table(number)
    columns = [column for metric in table.metrics for column in _columns(metric, ours)]
    measured = {row.title: row for row in ours.rows} if ours else {}
    rows = [_row(table, name, columns, measured.get(name)) for name in table.rows]

    def notes_on(shown: Sequence[Column]) -> Told:
        notes = [f"Published numbers were not measured here (source: {SOURCE}, Table {number})."]
        if ours is None:
            suite = f"paper/table{number}"
            return [
                *notes,
                *log_notes(table.metrics, table.logs),
                f"Nothing of this table has been run yet; `lsbench plan {suite}` shows the cost.",
            ], []
        told, warnings = ours.notes_on(shown) if ours.notes_on else (ours.notes, ours.warnings)
        return [*notes, *told], warnings

    return Summary(
        suite=f"Table {number} of the paper",
        preset=table.title,
        description=table.title,
        baseline=ours.baseline if ours else "",
        is_smoke=False,
        columns=columns,
        rows=ranked(columns, rows),
        notes=notes_on(columns)[0],
        notes_on=notes_on,
        source=f"{SOURCE}, Table {number}",
        caption=f"{table.title[0].upper()}{table.title[1:]}",
    )


def _columns(metric: str, ours: Summary | None) -> list[Column]:
    """Return our columns of a metric, or one without a protocol if we have none, then the published one."""
    known = [c for c in ours.columns if c.published_as == metric] if ours else []
    mine = [column for column in known if not column.is_delta and not column.is_published]
    published = Column(f"{metric}_published", quantity(metric), "", is_published=True)
    return [*(mine or [Column(metric, quantity(metric), "")]), published]


def _row(table: PaperTable, name: str, columns: list[Column], mine: Row | None) -> Row:
    cells, is_only = {}, name in table.not_run
    for column in columns:
        known = mine.cells.get(column.key) if mine else None
        if column.is_published:
            value = table.rows[name][column.quantity.name]
            found = None if value is None else Estimate(value, None, None, 1)
            cells[column.key] = Cell(found, gap=known.gap if known else None)
        else:
            is_left_out = is_only or column.quantity.name not in table.run_in_part.get(name, table.metrics)
            cells[column.key] = known or Cell(None, "" if is_left_out else WAITING)
    return Row(mine.variant if mine else name, name, mine is not None and mine.is_baseline, cells, is_only)
