"""Tables in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_lines(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> list[str]:
    """Return one table of plain text with its notes as lines of Markdown."""
    cells = [list(map(escape, row)) for row in rows]
    return [
        f"#### {escape(title)}",
        "",
        *grid_lines(list(map(escape, titles)), cells),
        "",
        *(f"- {escape(note)}" for note in notes),
    ]


def grid_lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already."""
    return list(map(row_line, [titles, ["---"] * len(titles), *rows]))


def row_line(cells: Iterable[str]) -> str:
    """Return one row as a line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return `text` with Markdown and HTML escaped: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|<>*_`~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.replace("](", "]\\(").splitlines())
