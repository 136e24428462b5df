"""Tables in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_lines(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> list[str]:
    """Return one table of words with its notes as lines of Markdown."""
    head = [f"#### {escape(title)}", "", row_line(map(escape, titles)), row_line(["---"] * len(titles))]
    return [
        *head,
        *(row_line(map(escape, row)) for row in rows),
        "",
        *(f"- {escape(note)}" for note in notes),
    ]


def row_line(cells: Iterable[str]) -> str:
    """Return the cells of one row as a line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return `text` so that it stays text: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|<>*_`~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.replace("](", "]\\(").splitlines())
