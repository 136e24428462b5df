"""Keep the verdicts of all nights in a Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lsbench.core.atomic import atomic_write
from lsbench.core.lock import locked
from lsbench.gate.judge import Judgement
from lsbench.gate.measurement import RowKey
from lsbench.gate.renderers import to_row
from lsbench.rendering.sparkline import sparkline
from lsbench.tables.nights import COLUMNS, night_curves, read_nights


def add_night(path: Path, judgement: Judgement) -> pd.DataFrame:
    """Append a judgement to the history file and return the whole history.

    Args:
        path: The file; a reader sees either the old or the new content.
        judgement: Tonight's judgement.

    Raises:
        StoreError: If the file is damaged, or another process keeps it locked.
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
        old = read_nights(path)
        whole = pd.concat([old, new], ignore_index=True) if len(old) else new
        with atomic_write(path) as file:
            whole.to_parquet(file)
    return whole


def trends(history: pd.DataFrame, suite: str, preset: str) -> dict[RowKey, str]:
    """Return a sparkline of the last nights of each row."""
    curves = night_curves(history, suite, preset)
    return {
        RowKey(one.variant, one.metric, one.protocol, one.dataset): sparkline(one.values) for one in curves
    }
