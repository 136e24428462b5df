"""Join manifest, jobs and records of results folders into one long pandas table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.record import SCHEMA_VERSION
from lsbench.core.units import quantity
from lsbench.store.results import ResultsFolder

#: Columns of the long table, with the pandas type of each. Unmeasured is null, never 0.
LONG_COLUMNS = {
    "schema_version": "int64",
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "kind": "string",
    "variant": "string",
    "title": "string",
    "mixer": "string",
    "model": "string",
    "seed": "Int64",
    "dataset": "string",
    "protocol": "string",
    "metric": "string",
    "value": "Float64",
    "unit": "string",
    "higher_is_better": "boolean",
    "n": "Int64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "ci_method": "string",
    "status": "string",
    "error": "string",
    "attempt": "Int64",
    "started_at": "string",
    "wall_s": "Float64",
    "setting": "string",
    "provenance": "string",
}
CACHE = "cache.parquet"


def load_table(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every record of `folders` as one row each, and one row without a metric per job that has none.

    A job that two rows of the suite share appears once for each of them.

    Returns:
        A frame with the columns of :data:`LONG_COLUMNS`; `setting` and `provenance` are JSON.
    """
    frames = [_cached(folder) for folder in folders]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else _frame([])


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(LONG_COLUMNS)).astype(LONG_COLUMNS)


def _cached(folder: ResultsFolder) -> pd.DataFrame:
    """Return a folder's rows, from ``cache.parquet`` if nothing has changed since it was written.

    The cache may be deleted at any time, and a folder that cannot be written is read without one.
    """
    stamp = _stamp(folder.root)
    path = folder.root / CACHE
    try:
        frame = pd.read_parquet(path)
        if frame.attrs.get("stamp") == stamp:
            return frame.astype(LONG_COLUMNS)
    except (OSError, ValueError, KeyError):
        pass
    frame = _frame(list(_rows(folder)))
    frame.attrs["stamp"] = stamp
    try:
        partial = path.with_suffix(f".{os.getpid()}")
        frame.to_parquet(partial)
        partial.replace(path)
    except OSError:
        pass
    return frame


def _stamp(root: Path) -> list[list[Any]]:
    files = [root / name for name in ("manifest.json", "jobs.jsonl", "records.jsonl")]
    stats = [(file.name, file.stat()) for file in files if file.exists()]
    return [
        [SCHEMA_VERSION, *LONG_COLUMNS],
        *([name, stat.st_size, stat.st_mtime_ns] for name, stat in stats),
    ]


def _rows(folder: ResultsFolder) -> Iterable[dict[str, Any]]:
    manifest = folder.manifest() or {"jobs": []}
    jobs = folder.jobs()
    records: dict[str, list[dict[str, Any]]] = {}
    for record in folder.records():
        records.setdefault(record["job_id"], []).append(record)
    for entry in manifest["jobs"]:
        line = jobs.get(entry["id"], {})
        base = {
            "schema_version": SCHEMA_VERSION,
            "suite": manifest["suite"],
            "preset": manifest["preset"],
            "job_id": entry["id"],
            **{key: entry[key] for key in ("kind", "variant", "title", "mixer", "model", "seed", "dataset")},
            "status": line.get("status", "missing"),
            "error": line.get("error"),
            "attempt": line.get("attempts", 1 if line else None),
            "started_at": line.get("started_at"),
            "wall_s": line.get("wall_s"),
            "provenance": json.dumps(line.get("provenance", {}), sort_keys=True),
            "setting": json.dumps(line.get("setting", {}), sort_keys=True),
        }
        found = records.get(entry["id"], []) if base["status"] == "ok" else []
        yield from ({**base, **_measured(record, line)} for record in found)
        if not found:
            yield base


def _measured(record: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    keys = ("metric", "value", "unit", "n", "ci_low", "ci_high", "ci_method", "protocol")
    measured = {key: record[key] for key in keys}
    if record["dataset"] is not None:
        measured["dataset"] = record["dataset"]
    setting = {**line.get("setting", {}), **record["setting"]}
    measured["setting"] = json.dumps(setting, sort_keys=True)
    return {**measured, "higher_is_better": quantity(record["metric"]).higher_is_better}
