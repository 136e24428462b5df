"""Measure a suspected regression again: the same jobs, in a results folder inside the first one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lsbench.core.atomic import atomic_folder, copy_folder
from lsbench.gate.measurement import GateRow, RowKey
from lsbench.gate.verdict import Finding, confirm, unconfirmed
from lsbench.store.results import ResultsFolder
from lsbench.suite.graph import JobGraph

FOLDER = "recheck-1"


def recheck_graph(graph: JobGraph) -> JobGraph:
    """Return the same jobs under a preset whose results lie in ``<preset>/recheck-1``.

    A job's id does not depend on the preset, so only the folder distinguishes the second measurement.
    """
    names = {"preset": f"{graph.suite.preset}/{FOLDER}", "preset_before": None}
    return replace(graph, suite=graph.suite.model_copy(update=names))


def jobs_behind(graph: JobGraph, rows: Iterable[GateRow], suspects: Sequence[Finding]) -> list[str]:
    """Return the labels of the jobs that measured the suspects.

    Args:
        graph: All jobs.
        rows: The rows of the first measurement.
        suspects: The findings to measure again.
    """
    keys = {finding.compared.key for finding in suspects}
    ids = {one.job_id for row in rows if row.key in keys for one in row.measurements}
    return [job.label for job in graph.by_id().values() if job.id in ids]


def lend_needs(graph: JobGraph, labels: Sequence[str], first: ResultsFolder, again: ResultsFolder) -> None:
    """Link the job folders that the repeated jobs need, so that nothing is trained again.

    Args:
        graph: All jobs.
        labels: Labels of the jobs that are measured again.
        first: The results folder of the first measurement.
        again: The results folder of the second measurement.
    """
    jobs = graph.by_id()
    waiting = [need for job in jobs.values() if job.label in labels for need in job.needs.values()]
    while waiting:
        need = waiting.pop()
        if need not in jobs:
            continue
        link = again.job_folder(need)
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            _lend(first.job_folder(need).resolve(), link)
        waiting += jobs[need].needs.values()


def _lend(folder: Path, link: Path) -> None:
    """Link a folder, or copy it where the file system has no links."""
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError:
        with atomic_folder(link) as part:
            copy_folder(folder, part)


def with_second_rows(first: Iterable[GateRow], second: Iterable[GateRow]) -> list[GateRow]:
    """Return the rows of the first measurement, replaced where there is a second one."""
    again = {row.key: row for row in second}
    return [again.get(row.key, row) for row in first]


def with_second(
    findings: Iterable[Finding],
    second: Iterable[Finding],
    suspects: Sequence[Finding],
    *,
    measured: Collection[RowKey],
) -> list[Finding]:
    """Return `findings` with each suspect replaced by the joint verdict of both measurements.

    Args:
        findings: The findings of the first measurement.
        second: The findings of the second measurement.
        suspects: The findings to measure again.
        measured: Keys of the rows that could be measured again.
    """
    again = {finding.compared.key: finding for finding in second}
    keys = {finding.compared.key for finding in suspects}

    def sure(finding: Finding) -> Finding:
        key = finding.compared.key
        if key not in keys:
            return finding
        return confirm(finding, again[key]) if key in measured else unconfirmed(finding, "its job failed")

    return [sure(finding) for finding in findings]
