"""Format the cells of a summary as text, the same in every report format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from lsbench.core.interval_text import estimate_text, possible
from lsbench.core.quantity import Quantity, published_text
from lsbench.stats.seeds import Estimate
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import FURTHER, panels
from lsbench.tables.summary import Summary

RANKS = "Bold: best value of a column; underlined: second best. No significance test: see the intervals."
TWO_SEEDS = (
    "Two seeds cannot tell: the 95 % interval of two values reaches six times their distance to each side."
)
#: At most this many further measurements are named in a note.
MOST_NAMED = 6
T = TypeVar("T")


def header(columns: Sequence[Column], row_kind: str = "variant") -> list[str]:
    """Return the header of a table with these columns."""
    return [row_kind, *(column.title for column in columns)]


def row_texts(row: Row, columns: Sequence[Column]) -> list[str]:
    """Return the cells of one row."""
    mark = " (baseline)" if row.is_baseline else " (published only)" if row.is_published_only else ""
    name = f"{row.title}{mark}"
    return [name, *(cell_text(row.cells[column.key], column) for column in columns)]


def cell_text(cell: Cell, column: Column) -> str:
    """Return the text of a cell: value and interval, or why there is none."""
    column = cell.of or column
    if cell.text:
        return cell.text
    if cell.estimate is None:
        return cell.hole or "-"
    if column.is_published:
        return _published(cell.estimate.value, cell.gap, column.quantity)
    text = _value(cell.estimate, column)
    if cell.estimate.n < cell.expected:
        text += f" ({cell.estimate.n} of {cell.expected} seeds)"
    return text


def _published(value: float, gap: float | None, shown: Quantity) -> str:
    text = published_text(shown, value)
    return text if gap is None else f"{text} (ours {gap * shown.scale:+.{shown.digits}f})"


def _value(found: Estimate, column: Column) -> str:
    shown = column.quantity
    if not column.is_delta:
        return estimate_text(shown, found.value, found.low, found.high)
    text = f"{found.value * shown.scale:+.{shown.digits}f}"
    if found.low is None or found.high is None:
        return text
    ends = possible(shown, found.value, found.low, found.high, is_difference=True)
    low, high = (f"{end * shown.scale:+.{shown.digits}f}" for end in ends)
    return f"{text} [{low}, {high}]"


def heading(summary: Summary) -> str:
    """Return the heading of a summary's tables."""
    return f"{summary.suite} ({summary.preset})"


def has_table(summary: Summary) -> bool:
    """Return whether a table shows something of a summary, rather than its notes and sections alone."""
    return any(
        columns and (name != FURTHER or summary.shows_further)
        for name, columns in panels(summary.columns).items()
    )


def notes_of(summary: Summary, *, is_marked: bool = True, is_whole: bool = False) -> list[str]:
    """Return the notes of a table, in every format.

    Args:
        summary: The summary.
        is_marked: Whether the format marks the best values.
        is_whole: Whether the format always shows the further measurements.
    """
    if not summary.has_notes:
        return []
    is_whole = is_whole or summary.shows_further
    shown = [column for column in summary.columns if is_whole or column.panel != FURTHER]
    rows = [row for row in summary.rows if is_whole or row.panel != FURTHER]
    cells = [row.cells[column.key] for row in rows for column in shown]
    of_two = any(cell.estimate and cell.estimate.n == 2 and cell.estimate.low is not None for cell in cells)
    return [
        *summary.notes,
        *(summary.further_notes if is_whole else []),
        *([TWO_SEEDS] if of_two else []),
        *([RANKS] if is_marked and any(cell.rank for cell in cells) else []),
    ]


def left_out(summary: Summary) -> list[str]:
    """Return a line that names the measurements omitted from the tables; empty if none are."""
    if summary.shows_further or not summary.has_notes:
        return []
    names = [column.quantity.name for column in summary.columns if column.panel == FURTHER]
    names += [row.variant for row in summary.rows if row.panel == FURTHER]
    if not names:
        return []
    known = [*dict.fromkeys(names)]
    first = ", ".join(known[:MOST_NAMED]) + (", ..." if len(known) > MOST_NAMED else ".")
    count = f"{len(names)} further measurement{'s' if len(names) > 1 else ''}"
    return [f"{count}: {first} Show all with --all-columns, some with --columns NAME."]


def tables(
    summary: Summary, write: Callable[[str, int | None], T], *, width: int | None = None
) -> Iterator[tuple[str, list[str], list[list[T]]]]:
    """Yield heading, header and rows of each table of a summary; most summaries have one table.

    Args:
        summary: The summary.
        write: Formats a cell, given its text and its rank (1 best of the column, 2 second best).
        width: Text columns that are available; a wider table gets short titles.
    """
    for name, columns in panels(summary.columns).items():
        if columns and (name != FURTHER or summary.shows_further):
            title = f"{heading(summary)}: {name}" if name else heading(summary)
            shown = [row for row in summary.rows if row.panel != FURTHER or summary.shows_further]
            texts = [row_texts(row, columns) for row in shown]
            titles = header(columns, summary.row_kind)
            if width is not None and _width([titles, *texts]) > width:
                titles = [summary.row_kind, *(column.short_title for column in columns)]
            yield title, titles, [_written(row, columns, write) for row in shown]


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Return the columns of text that a table takes if no cell is broken: each has a line and two spaces."""
    return sum(max(map(len, column)) + 3 for column in zip(*lines, strict=True)) + 1


def _written(row: Row, columns: Sequence[Column], write: Callable[[str, int | None], T]) -> list[T]:
    ranks = [None, *(row.cells[column.key].rank for column in columns)]
    return list(map(write, row_texts(row, columns), ranks))
