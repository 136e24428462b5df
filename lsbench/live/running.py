"""Which jobs of a results folder are running now: those whose process holds the lock of its job folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lsbench.store.results import ResultsFolder

LOCK = ".lock"


@dataclass(frozen=True)
class RunningJob:
    """A job that runs now.

    Attributes:
        label: Variant, job and seed.
        since: When it began, ISO 8601 in UTC.
    """

    label: str
    since: str


def running_jobs(folder: ResultsFolder, entries: Iterable[tuple[str, str]]) -> list[RunningJob]:
    """Return those of some jobs, given as id and label, that run now on this machine; the oldest first."""
    found = []
    for job_id, label in entries:
        path = folder.job_folder(job_id) / LOCK
        if _is_held(path):
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(RunningJob(label, at.isoformat(timespec="seconds")))
    return sorted(found, key=lambda job: (job.since, job.label))


def _is_held(path: Path) -> bool:
    """Return whether a process holds a lock; it is never taken from anybody, and none is created."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
