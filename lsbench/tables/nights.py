"""The history of a gate: one row per night and compared number, and what became of each over the nights."""

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
    """What one number of a gate was over the last nights, oldest first.

    Attributes:
        values: None where a night had no value.
        verdicts: What the gate said of each.
        baseline: What the last one was compared with.
        when: Date and commit of each, for people.
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
    """Return the history in a file, oldest first; without one, an empty frame.

    Raises:
        StoreError: If it is damaged.
    """
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    try:
        return pd.read_parquet(path)[list(COLUMNS)].astype(COLUMNS)
    except (OSError, ValueError, KeyError) as error:
        line = str(error).splitlines()[0]
        raise StoreError(f"{path}: damaged history ({line}); remove it, or restore it") from error


def night_curves(history: pd.DataFrame, suite: str, preset: str, *, nights: int = NIGHTS) -> list[NightCurve]:
    """Return the curves of a suite and preset, those of one metric together."""
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
