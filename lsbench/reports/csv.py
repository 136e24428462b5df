"""Comma-separated values in SI units and full precision, for other programs.

It is the table alone; curves of trainings and single corruptions are in the JSON report.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries as one CSV; a number that was not measured is an empty field."""
    return str(to_frame(summaries).to_csv(index=False)) if summaries else ""


def to_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """Return all summaries as one frame: a row per variant, with suite and preset first."""
    frames = []
    for summary in summaries:
        frame = summary.to_frame()
        frame.insert(0, "suite", summary.suite)
        frame.insert(1, "preset", summary.preset)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


REPORT = render
