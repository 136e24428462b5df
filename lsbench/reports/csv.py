"""Comma-separated values in SI units and full precision, for other programs.

This is the table only; learning curves and single corruptions are in the JSON report.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.reports._frame import to_csv, to_frame
from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries as one CSV; unmeasured values are empty fields."""
    return to_csv(to_frame(summaries)) if summaries else ""


REPORT = render
