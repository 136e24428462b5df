"""The same frame as CSV, typed and binary, with units and titles of the columns in its metadata."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lsbench.reports._frame import to_frame
from lsbench.tables.summary import Summary


def render(summaries: Sequence[Summary]) -> bytes:
    """Return all summaries as one Parquet file; unmeasured values are null.

    pandas restores units and titles as ``frame.attrs["units"]`` and ``frame.attrs["titles"]``.
    """
    frame = to_frame(summaries)
    for name in frame.select_dtypes("object"):
        frame[name] = _typed(frame[name])
    columns = [column for summary in summaries for column in summary.columns]
    frame.attrs["units"] = {column.key: column.quantity.unit for column in columns}
    frame.attrs["titles"] = {column.key: column.title for column in columns}
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with one type: booleans, numbers, or else text."""
    there = column.dropna()
    if len(there) and all(isinstance(value, bool) for value in there):
        return column.astype("boolean")
    if len(there) and all(isinstance(value, (int, float)) for value in there):
        return column.astype("Float64")
    return column.map(lambda value: None if pd.isna(value) else str(value)).astype("string")


REPORT = render
