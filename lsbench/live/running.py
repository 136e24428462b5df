"""Find the running jobs of a results folder: those whose job folder is locked by a process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lsbench.core.lock import is_held
from lsbench.store.results import ResultsFolder


@dataclass(frozen=True)
class RunningJob:
    """A running job.

    Attributes:
        label: Variant, job and seed.
        since: Start time, ISO 8601 in UTC.
    """

    label: str
    since: str


def running_jobs(folder: ResultsFolder, entries: Iterable[tuple[str, str]]) -> list[RunningJob]:
    """Return the jobs, among those given by id and label, that run on this machine; the oldest first."""
    found = []
    for job_id, label in entries:
        path = folder.job_lock_file(job_id)
        if is_held(path):
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(RunningJob(label, at.isoformat(timespec="seconds")))
    return sorted(found, key=lambda job: (job.since, job.label))
