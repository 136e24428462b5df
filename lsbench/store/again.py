"""Find jobs to measure again: those whose timings are inconclusive."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lsbench.store.results import ResultsFolder


def inconclusive_jobs(
    folder: ResultsFolder, job_ids: Iterable[str], metrics: Collection[str] = ()
) -> set[str]:
    """Return the ids of finished jobs with a timing that was too disturbed for a value.

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
        record["value"] is None and record["setting"].get("inconclusive")
        for record in result["records"]
        if not metrics or record["metric"] in metrics
    )
