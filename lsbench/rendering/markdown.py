"""Tables in GitHub-flavoured Markdown."""

from __future__ import annotations

import re
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
    r"""Return `text` such that Markdown, HTML and GitHub show it as it is.

    A variant named ``<b>|x`` breaks nothing, ``$x$`` is no formula, ``@name`` calls nobody, ``#1`` is no link
    and ``:smile:`` no picture. GitHub looks for these in the text after it has resolved
    backslashes and entities, so the first sign stands in an element of its own.

    >>> escape("a|b_c"), escape("@you")
    ('a\\|b\\_c', '<span>@</span>you')
    """
    escaped = _MARKS.sub(_escaped, " ".join(text.splitlines()))
    return escaped.replace("](", "]\\(")


def _escaped(found: re.Match[str]) -> str:
    mark = found[0]
    if mark in ENTITIES:
        return ENTITIES[mark]
    return f"<span>{mark}</span>" if mark in "$@#:" else f"\\{mark}"


ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
#: What Markdown reads as a sign; of entities, mentions, numbers of issues and emojis, the start.
_MARKS = re.compile(r"[\\|<>*_`~$]|&(?=#?\w+;)|@(?=\w)|#(?=\d)|:(?=[\w+-]+:)")
