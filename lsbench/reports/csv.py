"""Comma-separated values in SI units and full precision, for other programs.

It is the table alone; curves of trainings and single corruptions are in the JSON report.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries as one CSV; a number that was not measured is an empty field."""
    frames = []
    for summary in summaries:
        frame = summary.to_frame()
        frame.insert(0, "suite", summary.suite)
        frame.insert(1, "preset", summary.preset)
        frames.append(frame)
    return str(pd.concat(frames, ignore_index=True).to_csv(index=False)) if frames else ""


REPORT = render
