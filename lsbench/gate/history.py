"""One row per night and row of the gate, in a parquet file, and the trends in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.errors import StoreError
from lsbench.gate.judge import Judgement
from lsbench.gate.measurement import RowKey
from lsbench.gate.render_json import to_row
from lsbench.store.atomic import atomic_write
from lsbench.store.lock import locked

FILE = "gate_history.parquet"
COLUMNS = {
    "at": "string",
    "suite": "string",
    "preset": "string",
    "commit": "string",
    "variant": "string",
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
BARS = "▁▂▃▄▅▆▇█"
NIGHTS = 14


def read_history(path: Path) -> pd.DataFrame:
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


def add_night(path: Path, judgement: Judgement) -> pd.DataFrame:
    """Append a judgement to the history in a file, and return all of it.

    Args:
        path: The file; a reader sees the old content or the new.
        judgement: Tonight's.

    Raises:
        StoreError: If the file is damaged, or in use by another process for long.
    """
    night = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": judgement.suite,
        "preset": judgement.preset,
        "commit": judgement.commit,
    }
    rows = [{**to_row(finding), **night} for finding in judgement.findings]
    new = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    with locked(path.with_name(f".{path.name}.lock"), what=f"history {path}", wait_s=10):
        old = read_history(path)
        whole = pd.concat([old, new], ignore_index=True) if len(old) else new
        with atomic_write(path) as file:
            whole.to_parquet(file)
    return whole


def trends(history: pd.DataFrame, suite: str, preset: str, *, nights: int = NIGHTS) -> dict[RowKey, str]:
    """Return a small chart of the last values of each row, oldest left; a night without one is a gap."""
    own = history[(history.suite == suite) & (history.preset == preset)]
    found: dict[RowKey, str] = {}
    for _, rows in own.groupby(["variant", "metric", "protocol", "dataset"], dropna=False, sort=False):
        last: Any = rows.iloc[-1]
        dataset = None if pd.isna(last.dataset) else last.dataset
        key = RowKey(last.variant, last.metric, last.protocol, dataset)
        found[key] = bars([None if pd.isna(value) else float(value) for value in rows.value[-nights:]])
    return found


def bars(values: list[Any]) -> str:
    """Return one character per value, from the lowest to the highest of them.

    >>> bars([1.0, 2.0, None, 3.0]), bars([5.0, 5.0])
    ('▁▅ █', '▄▄')
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        return BARS[3] if high == low else BARS[round((value - low) / (high - low) * (len(BARS) - 1))]

    return "".join(map(bar, values))
