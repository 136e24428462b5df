"""Text tables for the terminal, as wide as it is."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

MIN_WIDTH = 60


def terminal_width() -> int:
    """Return the columns of the terminal, at least 60; 160 where there is none."""
    return max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)


def print_table(
    stream: io.StringIO,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
) -> None:
    """Print one table with its notes, as wide as the terminal."""
    console = Console(file=stream, width=terminal_width(), highlight=False)
    add_table(console, title, titles, [list(map(Text, row)) for row in rows], justify="left")
    for note in notes:
        console.print(Text(note))


def add_table(
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
