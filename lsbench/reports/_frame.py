"""One frame of all summaries, for the CSV and Parquet formats."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lsbench.tables.summary import Summary


def to_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """Return all summaries as one frame: a row per variant, with suite and preset first."""
    frames = []
    for summary in summaries:
        frame = summary.to_frame()
        frame.insert(0, "suite", summary.suite)
        frame.insert(1, "preset", summary.preset)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
