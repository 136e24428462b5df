"""A table for the terminal, with the best value of a column in bold and the second best underlined."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.text import Text

from lsbench.rendering.cells import has_table, heading, left_out, notes_of, tables
from lsbench.rendering.console import add_table, add_text, create_console, terminal_width
from lsbench.reports._sections import sections
from lsbench.tables.summary import Summary

STYLES = {1: "bold", 2: "underline"}


def render(summaries: Sequence[Summary], *, is_styled: bool = False) -> str:
    """Return the tables as text as wide as the terminal, split or turned round where they do not fit.

    Args:
        summaries: The summaries.
        is_styled: True for output to a terminal, which marks best and second best values.
    """
    console = create_console(io.StringIO(), width=terminal_width(), force_terminal=is_styled or None)
    for summary in summaries:
        if not has_table(summary):
            add_text(console, heading(summary))
        for title, titles, rows in tables(summary, _cell, width=console.width):
            add_table(console, title, titles, rows, justify="right")
        for note in [*notes_of(summary, is_marked=is_styled), *left_out(summary)]:
            add_text(console, note)
        for title, titles, texts, notes in sections(summary):
            console.print()
            add_table(console, title, titles, [list(map(Text, row)) for row in texts], justify="left")
            for note in notes:
                add_text(console, note)
        console.print()
    text = console.file
    return text.getvalue() if isinstance(text, io.StringIO) else ""


def _cell(text: str, rank: int | None) -> Text:
    return Text(text, style=STYLES.get(rank or 0, ""))


#: The suffixes of its files.
SUFFIXES = (".txt",)
REPORT = render
