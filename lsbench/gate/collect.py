"""Read the rows that the gate compares from a results folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.env import code_label
from lsbench.gate.measurement import UNMEASURED, GateRow, Images, Measurement, Pairs, Resamples, RowKey
from lsbench.store.job_files import read_arrays
from lsbench.store.resampled_numbers import read_resampled
from lsbench.store.results import ResultsFolder
from lsbench.store.right_images import read_right
from lsbench.store.standing import standing_now
from lsbench.suite.gate import GateRule
from lsbench.tables.frames.load import load_table


def collect_rows(folder: ResultsFolder, rules: Sequence[GateRule]) -> list[GateRow]:
    """Return one row per variant, data set and protocol for the metric of each rule.

    Where several jobs measure the same number of a seed, the first of them stands for it.

    Args:
        folder: A results folder.
        rules: The rules whose metrics are collected.

    Raises:
        StoreError: If a file that a job left beside its records is damaged.
    """
    table = load_table([folder])
    rows: list[GateRow] = []
    for rule in rules:
        found = table[(table.metric == rule.metric).fillna(False)]
        grouped: dict[RowKey, dict[Any, Any]] = {}
        for record in found.sort_values("seed", na_position="first", kind="stable").itertuples():
            dataset = _or_none(record.dataset)
            key = RowKey(str(record.variant), rule.metric, str(record.protocol), dataset)
            grouped.setdefault(key, {}).setdefault(_or_none(record.seed), record)
        for key, of_seeds in grouped.items():
            records = list(of_seeds.values())
            measurements = tuple(_measured(folder, records, rule))
            rows.append(GateRow(key=key, title=records[0].title, measurements=measurements))
    return rows


def jobs_not_done(folder: ResultsFolder) -> list[str]:
    """Return the labels of all expected jobs without a result that stands, and why those that are due are."""
    manifest = folder.manifest() or {"jobs": []}
    due = standing_now(folder, manifest).due()
    return [
        f"{entry['label']} (due: {due[entry['id']]})" if entry["id"] in due else entry["label"]
        for entry in manifest["jobs"]
        if not entry["id"] or entry["id"] in due or not folder.is_done(entry["id"])
    ]


def _measured(folder: ResultsFolder, records: Iterable[Any], rule: GateRule) -> Iterable[Measurement]:
    for record in records:
        where, setting = json.loads(record.provenance), json.loads(record.setting)
        value = _or_none(record.value)
        job_folder = folder.job_folder(record.job_id)
        yield Measurement(
            seed=_or_none(record.seed),
            value=value,
            reason=None if value is not None else setting.get("inconclusive") or UNMEASURED,
            job_id=record.job_id,
            machine=where.get("device_name") or where.get("cpu"),
            code=code_label(where),
            commit=_commit(where),
            weights=setting.get("weights_sha256"),
            images=None if rule.is_timing else _images(job_folder, rule.metric, value),
            resamples=None if rule.is_timing else _resamples(job_folder, rule.metric, value),
            pairs=_pairs(job_folder / f"samples_{rule.metric}.npz") if rule.is_timing else None,
        )


def _commit(where: dict[str, Any]) -> str | None:
    sha = where.get("git_sha")
    return None if sha is None else sha[:12] + ("+changes" if where.get("git_dirty") else "")


def _images(job_folder: Path, metric: str, value: float | None) -> Images | None:
    """Return the per-image correctness behind a value, or None if none is stored."""
    found = read_right(job_folder, metric, value)
    return None if found is None else Images.pack(found)


def _resamples(job_folder: Path, metric: str, value: float | None) -> Resamples | None:
    """Return the numbers over resampled images beside a value, or None if none are stored."""
    found = read_resampled(job_folder, metric, value)
    return None if found is None else Resamples.pack(found)


def _pairs(path: Path) -> Pairs | None:
    found = read_arrays(path, ("candidate", "control", "is_disturbed"))
    if found is None:
        return None
    kept = ~found["is_disturbed"]
    return Pairs.pack(found["candidate"][kept], found["control"][kept])


def _or_none(value: Any) -> Any:
    """Return a value of a frame, or None for null."""
    return None if pd.isna(value) else value
