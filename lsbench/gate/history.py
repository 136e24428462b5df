"""Keep the verdicts of all nights in a Parquet file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pandas as pd

from lsbench.core.destination import write_to
from lsbench.core.lock import locked
from lsbench.gate.judge import Judgement
from lsbench.gate.measurement import RowKey
from lsbench.gate.renderers import to_row
from lsbench.rendering.sparkline import sparkline
from lsbench.tables.nights import COLUMNS, night_curves, read_nights


def add_night(path: Path, judgement: Judgement) -> None:
    """Append a judgement to the history file.

    Args:
        path: The file; a reader sees either the old or the new content.
        judgement: Tonight's judgement.

    Raises:
        StoreError: If the file is damaged, or another process keeps it locked.
        OSError: If it cannot be written.
    """
    path = Path(os.path.realpath(path))  # all links to a file share its lock
    with locked(path.with_name(f".{path.name}.lock"), what=f"history {path}", wait_s=10):
        content = BytesIO()
        with_night(read_nights(path), judgement).to_parquet(content)
        write_to(path, content.getvalue())


def with_night(history: pd.DataFrame, judgement: Judgement) -> pd.DataFrame:
    """Return a history with one more night."""
    night = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": judgement.suite,
        "preset": judgement.preset,
        "commit": judgement.judged or judgement.commit,
    }
    rows = [{**to_row(finding), **night} for finding in judgement.findings]
    new = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat([history, new], ignore_index=True) if len(history) else new


def trends(history: pd.DataFrame, suite: str, preset: str) -> dict[RowKey, str]:
    """Return a sparkline of the last nights of each row."""
    curves = night_curves(history, suite, preset)
    return {
        RowKey(one.variant, one.metric, one.protocol, one.dataset): sparkline(one.values) for one in curves
    }
