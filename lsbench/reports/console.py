"""A table for the terminal, which shows the best value of a column bold and the second underlined."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsbench.reports._sections import sections
from lsbench.reports._text import notes_of, tables
from lsbench.tables.summary import Summary

MIN_WIDTH = 60
STYLES = {1: "bold", 2: "underline"}


def render(summaries: Sequence[Summary], *, is_styled: bool = False) -> str:
    """Return the tables as text as wide as the terminal, at least 60 columns.

    Args:
        summaries: What to show.
        is_styled: Whether the text goes to a terminal; best and second values are then marked.
    """
    width = max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=is_styled or None)
    for summary in summaries:
        for title, titles, rows in tables(summary, _cell):
            _print_table(console, title, titles, rows, justify="right")
        for note in notes_of(summary) if is_styled else summary.notes:
            console.print(Text(note))
        for title, titles, texts, notes in sections(summary):
            console.print()
            _print_table(console, title, titles, [list(map(Text, row)) for row in texts], justify="left")
            for note in notes:
                console.print(Text(note))
        console.print()
    text = console.file
    return text.getvalue() if isinstance(text, io.StringIO) else ""


def _cell(text: str, rank: int | None) -> Text:
    return Text(text, style=STYLES.get(rank or 0, ""))


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
    _print_table(console, title, titles, [list(map(Text, row)) for row in rows], justify="left")
    for note in notes:
        console.print(Text(note))


def _print_table(
    console: Console,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[Text]],
    *,
    justify: Literal["left", "right"],
) -> None:
    """Print a table; `justify` is that of all columns but the first."""
    table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(titles):
        table.add_column(Text(column), justify="left" if number == 0 else justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


REPORT = render
