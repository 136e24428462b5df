"""Text tables as wide as the terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Sequence
from typing import Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

MIN_WIDTH = 60


def terminal_width() -> int:
    """Return the width of the terminal in characters, at least 60; 160 without a terminal."""
    return max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)


def create_console(
    stream: TextIO | None = None, *, width: int | None = None, force_terminal: bool | None = None
) -> Console:
    """Return a console on a stream, by default stderr, that prints every text as it is.

    rich would read ``[red]`` and ``:smile:`` in names of users as commands.
    """
    return Console(
        file=stream,
        stderr=stream is None,
        width=width,
        force_terminal=force_terminal,
        highlight=False,
        markup=False,
        emoji=False,
    )


def table_text(
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    *,
    numbers: Collection[str] = (),
    min_width: int = MIN_WIDTH,
) -> str:
    """Return one table with its notes as text, as wide as the terminal.

    Args:
        title: Title above the table.
        titles: Column titles.
        rows: Cells of each row.
        notes: Lines below the table.
        numbers: Titles of right-aligned columns.
        min_width: Minimum width in characters, even on a narrower terminal.
    """
    stream = io.StringIO()
    console = create_console(stream, width=max(terminal_width(), min_width))
    cells = [list(map(Text, row)) for row in rows]
    add_table(console, title, titles, cells, justify="left", numbers=numbers)
    for note in notes:
        console.print(Text(note))
    return stream.getvalue()


def add_table(
    console: Console,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[Text]],
    *,
    justify: Literal["left", "right"],
    numbers: Collection[str] = (),
) -> None:
    """Print a table.

    Args:
        console: Console to print on.
        title: Title above the table.
        titles: Column titles.
        rows: Cells of each row.
        justify: Alignment of all columns but the first.
        numbers: Titles of columns that are right-aligned regardless of `justify`.
    """
    table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(titles):
        side = "right" if column in numbers else "left" if number == 0 else justify
        table.add_column(Text(column), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
