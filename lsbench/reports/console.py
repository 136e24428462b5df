"""A table for the terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsbench.reports._nights import nights_table
from lsbench.reports._text import header, heading, row_texts
from lsbench.reports._training import training_table
from lsbench.tables.summary import Summary

MIN_WIDTH = 60


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as text as wide as the terminal, at least 60 columns."""
    width = max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for summary in summaries:
        table = Table(title=Text(heading(summary)), title_justify="left")
        for number, title in enumerate(header(summary)):
            table.add_column(Text(title), justify="left" if number == 0 else "right", overflow="fold")
        for row in summary.rows:
            table.add_row(*(Text(text) for text in row_texts(row, summary.columns)))
        console.print(table)
        for note in summary.notes:
            console.print(Text(note))
        _print_section(console, f"{heading(summary)}: training", training_table(summary))
        _print_section(console, f"{heading(summary)}: gate", nights_table(summary))
        console.print()
    text = console.file
    return text.getvalue() if isinstance(text, io.StringIO) else ""


def _print_section(
    console: Console, title: str, found: tuple[list[str], list[list[str]], list[str]] | None
) -> None:
    """Print a section beside the table, if there is something to see."""
    if found is None:
        return
    titles, rows, notes = found
    console.print()
    table = Table(title=Text(title), title_justify="left")
    for column in titles:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for note in notes:
        console.print(Text(note))


REPORT = render
