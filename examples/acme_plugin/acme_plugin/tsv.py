"""Tab-separated values in SI units, one line per row, below a comment with suite and preset."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries, one below the other; unmeasured values are empty fields."""
    return "".join(map(_table, summaries))


def _table(summary: Summary) -> str:
    frame = summary.to_frame()
    text: str = frame.to_csv(sep="\t", index=False)
    return f"# {summary.suite} ({summary.preset})\n{text}"
