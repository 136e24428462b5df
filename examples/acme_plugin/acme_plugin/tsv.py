"""Tab-separated values: one line per row, in SI units, with the title and unit of each number above it."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries, one below the other; what was not measured is an empty field."""
    return "".join(map(_table, summaries))


def _table(summary: Summary) -> str:
    frame = summary.to_frame()
    text: str = frame.to_csv(sep="\t", index=False)
    return f"# {summary.suite} ({summary.preset})\n{text}"
