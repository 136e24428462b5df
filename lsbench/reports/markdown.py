"""A table for a README or a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.reports._nights import nights_table
from lsbench.reports._text import header, heading, row_texts
from lsbench.reports._training import training_table
from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as GitHub-flavoured Markdown."""
    return "\n".join(_table(summary) for summary in summaries)


def _table(summary: Summary) -> str:
    titles = header(summary)
    lines = [f"### {_escape(heading(summary))}", "", _line(titles)]
    lines.append(_line(["---", *("---:" for _ in titles[1:])]))
    lines += [_line(row_texts(row, summary.columns)) for row in summary.rows]
    lines += ["", *(f"- {_escape(note)}" for note in summary.notes)]
    title = heading(summary)
    lines += _section(f"{title}: training", training_table(summary))
    lines += _section(f"{title}: gate", nights_table(summary))
    return "\n".join(lines) + "\n"


def _section(title: str, found: tuple[list[str], list[list[str]], list[str]] | None) -> list[str]:
    """Return the lines of a section beside the table, if there is something to see."""
    if found is None:
        return []
    titles, rows, notes = found
    lines = [
        "",
        f"#### {_escape(title)}",
        "",
        _line(titles),
        _line(["---"] * len(titles)),
    ]
    return [*lines, *map(_line, rows), "", *(f"- {_escape(note)}" for note in notes)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if cell.startswith("---") else _escape(cell) for cell in cells) + " |"


def _escape(text: str) -> str:
    """Return `text` so that it stays text: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|<>*_`~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.replace("](", "]\\(").splitlines())


REPORT = render
