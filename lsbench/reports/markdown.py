"""A table for a README or a pull request: the best value of a column is bold, the second underlined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsbench.reports._sections import sections
from lsbench.reports._text import notes_of, tables
from lsbench.tables.summary import Summary

MARKS = {1: "**{}**", 2: "<u>{}</u>"}


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as GitHub-flavoured Markdown."""
    return "\n".join(_summary(summary) for summary in summaries)


def _summary(summary: Summary) -> str:
    lines = []
    for title, titles, rows in tables(summary, _cell):
        lines += [f"### {_escape(title)}", "", _line(map(_escape, titles))]
        lines += [_line(["---", *("---:" for _ in titles[1:])]), *map(_line, rows), ""]
    lines += [f"- {_escape(note)}" for note in notes_of(summary)]
    for section in sections(summary):
        lines += ["", *table_lines(*section)]
    return "\n".join(lines) + "\n"


def table_lines(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> list[str]:
    """Return one table of words with its notes as lines of Markdown."""
    head = [f"#### {_escape(title)}", "", _line(map(_escape, titles)), _line(["---"] * len(titles))]
    return [*head, *(_line(map(_escape, row)) for row in rows), "", *(f"- {_escape(note)}" for note in notes)]


def _cell(text: str, rank: int | None) -> str:
    return MARKS.get(rank or 0, "{}").format(_escape(text))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape(text: str) -> str:
    """Return `text` so that it stays text: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|<>*_`~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.replace("](", "]\\(").splitlines())


REPORT = render
