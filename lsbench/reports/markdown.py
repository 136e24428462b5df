"""A table for a README or a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.reports._sections import sections
from lsbench.reports._text import tables
from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as GitHub-flavoured Markdown."""
    return "\n".join(_summary(summary) for summary in summaries)


def _summary(summary: Summary) -> str:
    lines = []
    for title, titles, rows in tables(summary):
        lines += [f"### {_escape(title)}", "", _line(titles), _line(["---", *("---:" for _ in titles[1:])])]
        lines += [*map(_line, rows), ""]
    lines += [f"- {_escape(note)}" for note in summary.notes]
    for section in sections(summary):
        lines += ["", *table_lines(*section)]
    return "\n".join(lines) + "\n"


def table_lines(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> list[str]:
    """Return one table of words with its notes as lines of Markdown."""
    head = [f"#### {_escape(title)}", "", _line(titles), _line(["---"] * len(titles))]
    return [*head, *map(_line, rows), "", *(f"- {_escape(note)}" for note in notes)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if cell.startswith("---") else _escape(cell) for cell in cells) + " |"


def _escape(text: str) -> str:
    """Return `text` so that it stays text: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|<>*_`~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.replace("](", "]\\(").splitlines())


REPORT = render
