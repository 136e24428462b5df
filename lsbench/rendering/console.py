"""Text tables as wide as the terminal, in which no word is broken."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Collection, Sequence
from typing import Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsbench.rendering.layout import Panel, fits_turned, parts
from lsbench.rendering.wrapping import wrap

MIN_WIDTH = 30
TITLE_STYLE = "italic"
TURNED = "Turned round to fit the terminal: each column of the table is a row here."


def terminal_width() -> int:
    """Return the width of the terminal in characters, at least 30; 160 without a terminal."""
    return max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)


def fitted(line: str, *, hanging: str | None = None) -> str:
    """Return a line of a listing broken at words for the terminal; as it is if another program reads stdout.

    Args:
        line: The line.
        hanging: The start of its further lines; default: two spaces beyond its own start.
    """
    if not sys.stdout.isatty():
        return line
    own = line[: len(line) - len(line.lstrip(" "))] + "  "
    return "\n".join(wrap(line, terminal_width(), hanging=own if hanging is None else hanging))


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
    rows: Sequence[Sequence[str | Text]],
    notes: Sequence[str],
    *,
    numbers: Collection[str] = (),
    keys: int = 1,
    lead: int = 0,
    is_styled: bool = False,
) -> str:
    """Return one table with its notes as text, as wide as the terminal.

    Args:
        title: Title above the table.
        titles: Column titles.
        rows: Cells of each row.
        notes: Lines below the table.
        numbers: Titles of right-aligned columns.
        keys: Number of columns that say what a row is.
        lead: Number of columns before those.
        is_styled: True for output to a terminal.
    """
    stream = io.StringIO()
    console = create_console(stream, width=terminal_width(), force_terminal=is_styled or None)
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    add_table(console, title, titles, cells, justify="left", numbers=numbers, keys=keys, lead=lead)
    for note in notes:
        add_text(console, note)
    return stream.getvalue()


def add_text(console: Console, text: str, *, style: str = "") -> None:
    """Print a text, broken at words."""
    for line in wrap(text, console.width):
        console.print(Text(line, style=style), soft_wrap=True)


def add_table(
    console: Console,
    title: str,
    titles: Sequence[str],
    rows: Sequence[Sequence[Text]],
    *,
    justify: Literal["left", "right"],
    numbers: Collection[str] = (),
    keys: int = 1,
    lead: int = 0,
) -> None:
    """Print a table; one that does not fit is turned round if it has few rows, else split by columns.

    Where a column does not fit beside the first one, each row becomes a list of its cells.

    Args:
        console: Console to print on.
        title: Title above the table.
        titles: Column titles.
        rows: Cells of each row.
        justify: Alignment of all columns but the first.
        numbers: Titles of columns that are right-aligned regardless of `justify`.
        keys: Number of columns that say what a row is, and are repeated where a table is split.
        lead: Number of columns before those, which are not repeated.
    """
    texts = [[cell.plain for cell in row] for row in rows]
    sides: list[Literal["left", "right"]] = [
        "right" if column in numbers else "left" if number < lead + keys else justify
        for number, column in enumerate(titles)
    ]
    found = parts(titles, texts, console.width, keys=keys, lead=lead)
    if keys == 1 and (found is None or len(found) > 1) and fits_turned(titles, texts, console.width):
        heads, *turned = zip(map(Text, titles), *rows, strict=True)
        names = [head.plain for head in heads]
        add_table(console, title, names, turned, justify="right" if "right" in sides else "left")
        add_text(console, TURNED)
        return
    if found is None:
        add_text(console, title, style=TITLE_STYLE)
        _add_lists(console, titles, rows, lead + keys)
        return
    for number, part in enumerate(found, start=1):
        of = f", part {number} of {len(found)}" if len(found) > 1 else ""
        add_text(console, f"{title}{of}", style=TITLE_STYLE)
        _add_part(console, part, titles, rows, sides)


def _add_part(
    console: Console,
    part: Panel,
    titles: Sequence[str],
    rows: Sequence[Sequence[Text]],
    sides: Sequence[Literal["left", "right"]],
) -> None:
    table = Table()
    for place, width in zip(part.columns, part.widths, strict=True):
        table.add_column(_broken(Text(titles[place]), width), justify=sides[place], width=width, no_wrap=True)
    for row in rows:
        cells = zip(part.columns, part.widths, strict=True)
        table.add_row(*(_broken(row[place], width) for place, width in cells))
    console.print(table)


def _broken(text: Text, width: int) -> Text:
    return Text("\n".join(wrap(text.plain, width)), style=text.style)


def _add_lists(console: Console, titles: Sequence[str], rows: Sequence[Sequence[Text]], keys: int) -> None:
    """Print each row as a list: what it is, then a line per cell."""
    for row in rows:
        name = ", ".join(cell.plain for cell in row[:keys] if cell.plain)
        head = f"{titles[0]}: {name}" if keys == 1 else name
        add_text(console, head, style=str(row[0].style) or "bold")
        for name, cell in zip(titles[keys:], row[keys:], strict=True):
            for line in wrap(f"  {name}: {cell.plain}", console.width, hanging="    "):
                console.print(Text(line, style=cell.style), soft_wrap=True)
