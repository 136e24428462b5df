"""Join manifest, jobs and records of results folders into one long pandas table."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsbench.core.quantity import quantity
from lsbench.core.record import SCHEMA_VERSION
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.parts import OpenResults, read_all, to_json
from lsbench.tables.frames.ways import Part

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
    "facets": "string",
    "method": "string",
    "split": "string",
    "weights": "string",
    "classes": "Int64",
    "reference": "string",
    "epoch": "Int64",
    "corruption": "string",
    "severity": "Int64",
}
#: The columns that are facets of the record; `facets` holds all of them.
FACET_COLUMNS = ("method", "split", "weights", "classes", "reference", "epoch", "corruption", "severity")
_OF_RECORD = ("metric", "value", "unit", "n", "ci_low", "ci_high", "ci_method", "protocol")


def load_table(folders: Iterable[ResultsFolder], *, keeps_due: bool = False) -> pd.DataFrame:
    """Return one row per record of `folders`, and one row without a metric per job that has no records.

    A job that has not ended may have records too, kept so far, such as FLOPs before timings.
    A job that two variants share appears once for each of them. For values of single epochs, see
    :func:`lsbench.tables.curves.load_curves`; for those of single corruptions, see
    :func:`lsbench.tables.frames.corruptions.load_corruptions`; of single classes,
    :func:`lsbench.tables.frames.categories.load_categories`.

    Args:
        folders: The results folders.
        keeps_due: Whether results of earlier code are kept; by default their jobs have the status ``due``,
            the reason as error, and no metric.

    Returns:
        A frame with the columns of :data:`LONG_COLUMNS`; `setting`, `provenance` and `facets` are JSON. Each
        of :data:`FACET_COLUMNS` is the facet of that name, null if the record lacks it.

    Raises:
        StoreError: If a file of a folder is damaged, or a newer lsbench wrote it.
    """
    return read_all(folders, LONG_COLUMNS, table_of, keeps_due=keeps_due)


def table_of(opened: OpenResults, texts_of: Collection[str] | None = None) -> pd.DataFrame:
    """Return the long table of one results folder.

    Args:
        opened: The opened results folder.
        texts_of: Metrics whose rows get `setting` and `provenance`, which are slow to write for many rows;
            all by default.
    """
    jobs, rows, records = opened.joined(Part.WHOLE, [*_OF_RECORD, "dataset", "setting", "facets"])
    without = np.setdiff1d(np.arange(len(opened.jobs)), jobs)
    order = np.argsort(np.concatenate([jobs, without]), kind="stable")
    jobs = np.concatenate([jobs, without])[order]
    rows = np.concatenate([rows, np.full(len(without), -1)])[order]
    of_job = opened.jobs.iloc[jobs].reset_index(drop=True)
    of_record = {name: records[name].array.take(rows, allow_fill=True) for name in _OF_RECORD}
    own_dataset = pd.Series(records.dataset.array.take(rows, allow_fill=True), dtype="object")
    directions = {name: quantity(name).higher_is_better for name in records.metric.cat.categories}
    frame = pd.DataFrame(
        {
            "schema_version": _versions(opened)[jobs],
            **opened.constants(),
            **of_job.rename(columns={"name": "job", "id": "job_id"}).drop(columns="lines"),
            **of_record,
            **_facet_columns(records.facets.array.take(rows, allow_fill=True)),
            "dataset": own_dataset.where(own_dataset.notna(), of_job.dataset),
            "higher_is_better": pd.Series(of_record["metric"], dtype="object").map(directions),
        }
    )
    is_wanted = np.full(len(rows), True)
    if texts_of is not None:
        is_wanted = frame.metric.isin(texts_of).to_numpy(bool, na_value=False)
    own = records.setting.array.take(rows[is_wanted], allow_fill=True)
    frame.loc[is_wanted, "setting"] = _settings(opened, jobs[is_wanted], own)
    frame.loc[is_wanted, "provenance"] = _provenances(opened, jobs[is_wanted])
    return frame[list(LONG_COLUMNS)].astype(LONG_COLUMNS)


def _versions(opened: OpenResults) -> NDArray[np.int64]:
    """Return the schema version of each job's stored data."""
    usual = opened.manifest.get("schema_version", SCHEMA_VERSION)
    return np.array([line.get("schema_version", usual) for line in opened.jobs.lines], np.int64)


def _facet_columns(facets: pd.Categorical) -> dict[str, Any]:
    """Return the facets of each row, as JSON and one by one; each distinct text is parsed once."""
    told = [json.loads(text) for text in facets.categories]
    # A row without facets has the code -1, which takes the None at the end.
    columns = {
        name: np.array([*(one.get(name) for one in told), None], dtype="object")[facets.codes]
        for name in FACET_COLUMNS
    }
    return {"facets": facets, **columns}


def _settings(opened: OpenResults, jobs: NDArray[np.int64], of_records: Iterable[Any]) -> list[str]:
    """Return the setting of each row as JSON: the job's setting, overridden by the record's."""
    lines = opened.jobs.lines
    of_jobs = {job: lines[job].get("setting", {}) for job in np.unique(jobs)}
    plain = {job: to_json(setting) for job, setting in of_jobs.items()}
    return [
        to_json({**of_jobs[job], **json.loads(own)}) if isinstance(own, str) and own != "{}" else plain[job]
        for job, own in zip(jobs, of_records, strict=True)
    ]


def _provenances(opened: OpenResults, jobs: NDArray[np.int64]) -> list[str]:
    lines = opened.jobs.lines
    texts = {job: to_json(lines[job].get("provenance", {})) for job in np.unique(jobs)}
    return [texts[job] for job in jobs]
