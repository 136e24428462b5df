"""One frame of all summaries, for the CSV and Parquet formats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lsbench.tables.summary import Summary

#: Spreadsheets take a cell with such a start for a formula and run it, unless it is a number.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
#: Where a comma is part of numbers, spreadsheets split cells at semicolons instead.
_FORMULA_AFTER = re.compile(r"(?<=.)([;\t]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def to_csv(frame: pd.DataFrame) -> str:
    """Return a frame as comma-separated values that no spreadsheet runs.

    A text that it would take for a formula starts with an apostrophe, which spreadsheets do not show. Numbers
    stay as they are.
    """
    return str(_safe(frame).to_csv(index=False))


def csv_cells(frame: pd.DataFrame) -> list[list[str]]:
    """Return the cells of :func:`to_csv` as texts without quotes: the header, then the rows."""
    safe = _safe(frame)
    columns = [
        [
            "" if is_null else str(cell)
            for cell, is_null in zip(column.tolist(), column.isna().tolist(), strict=True)
        ]
        for _, column in safe.items()
    ]
    return [list(safe.columns), *map(list, zip(*columns, strict=True))]


def _safe(frame: pd.DataFrame) -> pd.DataFrame:
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    safe = frame.assign(**{name: frame[name].astype(object).map(_without_formula) for name in texts})
    return safe.rename(columns=_without_formula)


def _without_formula(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # pandas quotes only "\n", readers end lines at both
    text = _FORMULA_AFTER.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def to_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """Return all summaries as one frame: a row per variant, with suite and preset first."""
    frames = []
    for summary in summaries:
        frame = summary.to_frame()
        frame.insert(0, "suite", summary.suite)
        frame.insert(1, "preset", summary.preset)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
