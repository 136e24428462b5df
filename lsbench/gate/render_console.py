"""A judgement as a table for the terminal."""

from __future__ import annotations

import io
import shutil

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsbench.gate._text import headline, table_texts
from lsbench.gate.judge import Judgement

MIN_WIDTH = 100
NUMBERS = ("baseline", "now", "change")


def render(judgement: Judgement) -> str:
    """Return the table as text as wide as the terminal, at least 100 columns."""
    width = max(shutil.get_terminal_size((160, 24)).columns, MIN_WIDTH)
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False)
    table = Table(title=Text(headline(judgement)), title_justify="left")
    titles, rows = table_texts(judgement, judgement.findings)
    for title in titles:
        table.add_column(Text(title), justify="right" if title in NUMBERS else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for note in judgement.notes:
        console.print(Text(note))
    return text.getvalue()
