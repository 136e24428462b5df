"""A table for the terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsbench.reports._sections import sections
from lsbench.reports._text import tables
from lsbench.tables.summary import Summary

MIN_WIDTH = 60


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as text as wide as the terminal, at least 60 columns."""
    width = max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for summary in summaries:
        for title, titles, rows in tables(summary):
            _print_table(console, title, titles, rows, justify="right")
        for note in summary.notes:
            console.print(Text(note))
        for title, titles, rows, notes in sections(summary):
            console.print()
            _print_table(console, title, titles, rows, justify="left")
            for note in notes:
                console.print(Text(note))
        console.print()
    text = console.file
    return text.getvalue() if isinstance(text, io.StringIO) else ""


def print_table(
    stream: io.StringIO,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
) -> None:
    """Print one table with its notes, as wide as the terminal."""
    width = max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)
    console = Console(file=stream, width=width, highlight=False)
    _print_table(console, title, titles, rows, justify="left")
    for note in notes:
        console.print(Text(note))


def _print_table(
    console: Console,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    justify: Literal["left", "right"],
) -> None:
    """Print a table; `justify` is that of all columns but the first."""
    table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(titles):
        table.add_column(Text(column), justify="left" if number == 0 else justify, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


REPORT = render
