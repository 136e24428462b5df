"""The history of a gate: one row per night and compared number, and the curve of each number over nights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.errors import StoreError

FILE = "gate_history.parquet"
COLUMNS = {
    "at": "string",
    "suite": "string",
    "preset": "string",
    "commit": "string",
    "variant": "string",
    "title": "string",
    "metric": "string",
    "dataset": "string",
    "protocol": "string",
    "verdict": "string",
    "value": "Float64",
    "baseline": "Float64",
    "worsening": "Float64",
    "worsening_low": "Float64",
    "worsening_high": "Float64",
    "p_value": "Float64",
}
KEY = ["metric", "variant", "protocol", "dataset"]
NIGHTS = 14


@dataclass(frozen=True)
class NightCurve:
    """One number of a gate over the last nights, oldest first.

    Attributes:
        values: One per night; None without a value.
        verdicts: The gate's verdict on each night.
        baseline: The baseline's value in the last night.
        when: Date and commit of each night, as text.
    """

    variant: str
    title: str
    metric: str
    protocol: str
    dataset: str | None
    values: list[float | None]
    verdicts: list[str]
    baseline: float | None
    when: list[str] = field(default_factory=list)


def read_nights(path: Path) -> pd.DataFrame:
    """Return the history in a file, oldest first; without a file, an empty frame.

    Raises:
        StoreError: If it is damaged.
    """
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    if not path.is_file():
        raise StoreError(f"{path}: expected the history in a Parquet file, found no file; name another")
    try:
        return pd.read_parquet(path)[list(COLUMNS)].astype(COLUMNS)
    except (OSError, ValueError, KeyError) as error:
        line = str(error).splitlines()[0]
        raise StoreError(f"{path}: damaged history ({line}); restore or remove it") from error


def night_curves(history: pd.DataFrame, suite: str, preset: str, *, nights: int = NIGHTS) -> list[NightCurve]:
    """Return the curves of a suite and preset, grouped by metric."""
    own = history[(history.suite == suite) & (history.preset == preset)]
    found = [_curve(rows.tail(nights)) for _, rows in own.groupby(KEY, dropna=False, sort=False)]
    order = list(dict.fromkeys(curve.metric for curve in found))
    return sorted(found, key=lambda curve: order.index(curve.metric))


def _curve(rows: pd.DataFrame) -> NightCurve:
    last: Any = rows.iloc[-1]
    return NightCurve(
        variant=last.variant,
        title=last.title,
        metric=last.metric,
        protocol=last.protocol,
        dataset=_known(last.dataset),
        values=[_known(value) for value in rows.value],
        verdicts=list(rows.verdict),
        baseline=_known(last.baseline),
        when=list(rows["at"].fillna("").str[:10] + " " + rows["commit"].fillna("").str[:8]),
    )


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value
