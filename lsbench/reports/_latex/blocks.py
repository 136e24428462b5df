"""The parts of a suite's table before they are laid out: titles, groups of columns, ranked cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from lsbench.rendering.cells import row_texts
from lsbench.reports._sections import performance_table, robustness_table
from lsbench.tables.cells import Column
from lsbench.tables.columns import FURTHER, panels
from lsbench.tables.summary import Summary


class Ranked(NamedTuple):
    """The text of a cell before it is escaped, and its rank."""

    text: str
    rank: int | None = None


@dataclass(frozen=True)
class ColumnHead:
    """The head of a column.

    Attributes:
        title: The title where it stands alone.
        short: The same, shorter.
        group: What it has in common with its neighbours, which stands above them; empty: nothing.
        in_group: The title below that.
    """

    title: str
    short: str
    group: str = ""
    in_group: str = ""

    @property
    def alone(self) -> ColumnHead:
        """The head without a group."""
        return replace(self, group="", in_group="")


@dataclass(frozen=True)
class TableBlock:
    """Columns and rows that are laid out together.

    Attributes:
        heading: What the block is about, where there are several.
        heads: One for each column; the first column names the rows.
        rows: The cells of each row.
    """

    heading: str
    heads: tuple[ColumnHead, ...]
    rows: tuple[tuple[Ranked, ...], ...]

    def with_columns(self, places: Sequence[int]) -> TableBlock:
        """Return the block with the names of the rows and some of the columns."""
        kept = (0, *places)
        heads = tuple(self.heads[place] for place in kept)
        return TableBlock(
            self.heading, heads, tuple(tuple(row[place] for place in kept) for row in self.rows)
        )

    def with_rows(self, rows: Sequence[tuple[Ranked, ...]]) -> TableBlock:
        """Return the block with other rows."""
        return replace(self, rows=tuple(rows))

    def turned(self) -> TableBlock:
        """Return the block with its columns as rows."""
        first, *others = self.heads
        names = [row[0].text for row in self.rows]
        rows = [
            (Ranked(head.short), *(row[place] for row in self.rows)) for place, head in enumerate(others, 1)
        ]
        return TableBlock(
            self.heading, (first.alone, *(ColumnHead(name, name) for name in names)), tuple(rows)
        )

    def groups(self) -> list[list[int]]:
        """Return the columns that stay together: those below one title, any other alone."""
        places = range(1, len(self.heads))
        found: list[list[int]] = []
        for group, alike in groupby(places, key=lambda place: self.heads[place].group):
            members = list(alike)
            found += [members] if group else [[place] for place in members]
        return found


def blocks_of(summary: Summary) -> tuple[TableBlock | None, list[TableBlock]]:
    """Return the tables of a summary as one block, None if they are one already, and each by itself.

    The second also hold the errors on single corruptions.
    """
    shown = {
        name: columns
        for name, columns in panels(summary.columns).items()
        if columns and (name != FURTHER or summary.shows_further)
    }
    each = [_block(summary, name, columns, _heads(columns)) for name, columns in shown.items()]
    joined = [column for columns in shown.values() for column in columns]
    heads = [head for name, columns in shown.items() for head in _heads(columns, name)]
    whole = _block(summary, "", joined, heads) if len(each) > 1 else None
    return whole, each


def corruptions_of(summary: Summary) -> Iterator[tuple[TableBlock, list[str]]]:
    """Yield each table of numbers under single corruptions with its notes: of classifiers, and others."""
    for name, found in (
        ("robustness", robustness_table(summary)),
        ("performance", performance_table(summary)),
    ):
        if found is None:
            continue
        titles, words, notes = found
        rows = tuple(tuple(map(Ranked, row)) for row in words)
        block = TableBlock(name, tuple(ColumnHead(title, title) for title in titles), rows)
        yield block, notes if summary.has_notes else []


def _block(summary: Summary, name: str, columns: Sequence[Column], heads: Sequence[ColumnHead]) -> TableBlock:
    rows = [row for row in summary.rows if row.panel != FURTHER or summary.shows_further]
    if name:  # below the main table, rows that only a source has need a value
        keys = [column.key for column in columns]
        rows = [r for r in rows if not r.is_published_only or any(r.cells[key].estimate for key in keys)]
    cells = []
    for row in rows:
        ranks = [None, *(row.cells[column.key].rank for column in columns)]
        cells.append(tuple(map(Ranked, row_texts(row, columns), ranks)))
    return TableBlock(name, (ColumnHead(summary.row_kind, summary.row_kind), *heads), tuple(cells))


def _heads(columns: Sequence[Column], panel: str = "") -> list[ColumnHead]:
    """Return the heads of columns: below their panel, or ours and the published one below the metric."""
    alone = [ColumnHead(column.title, column.short_title) for column in columns]
    if panel:
        return [ColumnHead(head.title, head.short, panel, head.short) for head in alone]
    heads = list(alone)
    for place, column in enumerate(columns):
        ours = _ours(columns, place) if column.is_published else []
        for member in [*ours, place] if ours else []:
            heads[member] = _grouped(alone[member], columns[member], columns[ours[0]])
    return heads


def _ours(columns: Sequence[Column], place: int) -> list[int]:
    """Return the places of our columns directly before a published one; empty if they have several ways."""
    metric = columns[place].published_as
    found: list[int] = []
    for before in range(place - 1, -1, -1):
        column = columns[before]
        if column.is_published or column.published_as != metric:
            break
        found.insert(0, before)
    ways = {(columns[member].way, columns[member].remark) for member in found}
    return found if len(ways) == 1 else []


def _grouped(head: ColumnHead, column: Column, first: Column) -> ColumnHead:
    if column.is_published:
        return replace(head, group=first.short_title, in_group="published")
    return replace(head, group=first.short_title, in_group="\u0394" if column.is_delta else "ours")
