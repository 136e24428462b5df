"""Cache slow frames of a results folder as Parquet until the folder changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.atomic import atomic_write
from lsbench.core.errors import DiskFullError
from lsbench.core.record import SCHEMA_VERSION
from lsbench.store.reference import is_reference
from lsbench.store.results import ResultsFolder


def _typed(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return `rows` as a frame of the given columns and pandas types; missing values are null."""
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def cached_frame(
    folder: ResultsFolder,
    name: str,
    columns: Mapping[str, str],
    rows: Callable[[ResultsFolder], Iterable[dict[str, Any]]],
    *,
    state: Any = None,
) -> pd.DataFrame:
    """Return a folder's rows as a frame, from its cache file `name` if nothing has changed since.

    The file may be deleted at any time. No file is written for an empty frame, in a read-only folder, or
    beside reference results.

    Args:
        folder: The results folder.
        name: Name of the cache file.
        columns: Column -> pandas type.
        rows: Computes the rows of the folder.
        state: What the rows depend on beside the folder's files, as a JSON value.
    """
    stamp = [*_stamp(folder.root, columns), *([state] if state else [])]
    path = folder.root / name
    try:
        frame = pd.read_parquet(path)
        if frame.attrs.get("stamp") == stamp:
            return frame.astype(dict(columns))
    except (OSError, ValueError, KeyError):
        pass
    frame = _typed(list(rows(folder)), columns)
    frame.attrs["stamp"] = stamp
    if not is_reference(folder.root):
        with suppress(OSError, DiskFullError):
            _keep(frame, path)
    return frame


def _keep(frame: pd.DataFrame, path: Path) -> None:
    if frame.empty:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as file:
        frame.to_parquet(file)


def _stamp(root: Path, columns: Mapping[str, str]) -> list[list[Any]]:
    files = [root / name for name in ("manifest.json", "jobs.jsonl", "records.jsonl")]
    stats = [(file.name, file.stat()) for file in files if file.exists()]
    return [
        [SCHEMA_VERSION, *columns],
        *([name, stat.st_size, stat.st_mtime_ns] for name, stat in stats),
    ]
