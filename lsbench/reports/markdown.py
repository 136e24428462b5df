"""A table for a README or a pull request, with best values in bold and second best underlined."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.rendering.cells import has_table, heading, left_out, notes_of, tables
from lsbench.rendering.markdown import escape, row_line, table_lines
from lsbench.reports._sections import sections
from lsbench.tables.summary import Summary

#: GitHub drops ``u`` from a page, and underlines ``ins``.
MARKS = {1: "**{}**", 2: "<ins>{}</ins>"}


def render(summaries: Sequence[Summary]) -> str:
    """Return the tables as GitHub-flavoured Markdown."""
    return "\n".join(_summary(summary) for summary in summaries)


def _summary(summary: Summary) -> str:
    lines = [] if has_table(summary) else [f"### {escape(heading(summary))}", ""]
    for title, titles, rows in tables(summary, _cell):
        lines += [f"### {escape(title)}", "", row_line(map(escape, titles))]
        lines += [row_line(["---", *("---:" for _ in titles[1:])]), *map(row_line, rows), ""]
    lines += [f"- {escape(note)}" for note in [*notes_of(summary), *left_out(summary)]]
    for section in sections(summary):
        lines += ["", *table_lines(*section)]
    return "\n".join(lines) + "\n"


def _cell(text: str, rank: int | None) -> str:
    return MARKS.get(rank or 0, "{}").format(escape(text))


#: The suffixes of its files.
SUFFIXES = (".md", ".markdown")
REPORT = render
