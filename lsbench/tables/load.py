"""Join manifest, jobs and records of results folders into one long pandas table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lsbench.core.record import SCHEMA_VERSION, is_of_a_part
from lsbench.core.units import quantity
from lsbench.store.results import ResultsFolder
from lsbench.tables.cache import cached_frame, typed_frame

#: Columns of the long table, with the pandas type of each. Unmeasured is null, never 0.
LONG_COLUMNS = {
    "schema_version": "int64",
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "kind": "string",
    "variant": "string",
    "title": "string",
    "job": "string",
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

    A job that two rows of the suite share appears once for each of them. Figures of single epochs are left
    to :func:`lsbench.tables.curves.load_curves`, those of single corruptions to
    :func:`lsbench.tables.robustness.load_corruptions`.

    Returns:
        A frame with the columns of :data:`LONG_COLUMNS`; `setting` and `provenance` are JSON.
    """
    frames = [cached_frame(folder, CACHE, LONG_COLUMNS, _rows) for folder in folders]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else typed_frame([], LONG_COLUMNS)


def _rows(folder: ResultsFolder) -> Iterable[dict[str, Any]]:
    manifest = folder.manifest() or {"jobs": []}
    jobs = folder.jobs()
    records: dict[str, list[dict[str, Any]]] = {}
    for record in folder.records():
        if is_of_a_part(record["protocol"]):
            continue
        records.setdefault(record["job_id"], []).append(record)
    for entry in manifest["jobs"]:
        line = jobs.get(entry["id"], {})
        base = {
            "schema_version": SCHEMA_VERSION,
            "suite": manifest["suite"],
            "preset": manifest["preset"],
            "job_id": entry["id"],
            **{key: entry[key] for key in ("kind", "variant", "title", "mixer", "model", "seed", "dataset")},
            "job": entry["name"],
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
