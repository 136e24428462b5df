"""From a results folder to the rows that the gate compares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lsbench.core.env import code_label
from lsbench.core.errors import StoreError
from lsbench.gate.measurement import GateRow, Images, Measurement, Pairs, RowKey
from lsbench.store.results import ResultsFolder
from lsbench.suite.gate import GateRule
from lsbench.tables.load import load_table

PREDICTIONS = "predictions.npz"
UNMEASURED = "nothing could be measured"


def collect_rows(folder: ResultsFolder, rules: Sequence[GateRule]) -> list[GateRow]:
    """Return one row per variant, data set and protocol for the metric of each rule.

    Args:
        folder: A results folder.
        rules: Whose metrics are looked for.

    Raises:
        StoreError: If what a job left beside its records is damaged.
    """
    table = load_table([folder])
    rows: list[GateRow] = []
    for rule in rules:
        found = table[(table.metric == rule.metric).fillna(False)]
        grouped: dict[RowKey, list[Any]] = {}
        for record in found.sort_values("seed", na_position="first", kind="stable").itertuples():
            dataset = _or_none(record.dataset)
            key = RowKey(str(record.variant), rule.metric, str(record.protocol), dataset)
            grouped.setdefault(key, []).append(record)
        rows += [
            GateRow(key=key, title=records[0].title, measurements=tuple(_measured(folder, records, rule)))
            for key, records in grouped.items()
        ]
    return rows


def jobs_not_done(folder: ResultsFolder) -> list[str]:
    """Return the labels of all expected jobs that have no result."""
    manifest = folder.manifest() or {"jobs": []}
    return [
        entry["label"] for entry in manifest["jobs"] if not entry["id"] or not folder.is_done(entry["id"])
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
            images=None if rule.is_timing else _images(job_folder / PREDICTIONS, rule.metric, value),
            pairs=_pairs(job_folder / f"samples_{rule.metric}.npz") if rule.is_timing else None,
        )


def _commit(where: dict[str, Any]) -> str | None:
    sha = where.get("git_sha")
    return None if sha is None else sha[:12] + ("+changes" if where.get("git_dirty") else "")


def _images(path: Path, metric: str, value: float | None) -> Images | None:
    """Return the per-image bits that a value is the mean of, or None if there are none.

    A job that records one metric under several protocols keeps the bits of one of them.
    """
    found = _arrays(path, (f"score_{metric}", "images_sha256"))
    if found is None or value is None:
        return None
    right, images = found
    if right.dtype != bool or abs(float(right.mean()) - value) > 1e-9:
        return None
    return Images.pack(right, str(images))


def _pairs(path: Path) -> Pairs | None:
    found = _arrays(path, ("candidate", "control", "is_disturbed"))
    if found is None:
        return None
    candidate, control, is_disturbed = found
    return Pairs.pack(candidate[~is_disturbed], control[~is_disturbed])


def _arrays(path: Path, names: Sequence[str]) -> list[Any] | None:
    """Return arrays of an ``.npz`` file, or None if the file or one of them does not exist."""
    try:
        with np.load(path) as file:
            return [file[name] for name in names]
    except (FileNotFoundError, KeyError):
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StoreError(f"{path}: damaged ({error}); remove the job's folder and run again") from error


def _or_none(value: Any) -> Any:
    """Return a value of a frame, or None where it is null."""
    return None if pd.isna(value) else value
