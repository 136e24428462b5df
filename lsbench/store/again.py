"""Find jobs to measure again: those whose timings are inconclusive."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lsbench.store.results import ResultsFolder


def inconclusive_jobs(
    folder: ResultsFolder, job_ids: Iterable[str], metrics: Collection[str] = ()
) -> set[str]:
    """Return the ids of finished jobs with a timing that was too disturbed for a value.

    A timing that would have had too few samples on a quiet machine, too, is none of them: more time helps, or
    another quantile.

    Args:
        folder: The results folder.
        job_ids: The jobs to look at.
        metrics: Only timings of these metrics; empty: all.

    Raises:
        StoreError: If a result is damaged.
    """
    return {name for name in job_ids if _is_inconclusive(folder, name, metrics)}


def _is_inconclusive(folder: ResultsFolder, name: str, metrics: Collection[str]) -> bool:
    result = folder.result(name) or {"records": []}
    return any(
        record["value"] is None and record["setting"].get("inconclusive") and not _is_hopeless(record)
        for record in result["records"]
        if not metrics or record["metric"] in metrics
    )


def _is_hopeless(record: Mapping[str, Any]) -> bool:
    """Return whether all its samples together, disturbed or not, were too few."""
    setting = record["setting"]
    quiet = 1 - setting.get("disturbed_share", 0)
    return bool(round((record.get("n") or 0) / quiet if quiet else 0) < setting.get("samples_needed", 0))
