"""How far the suites of a results folder are."""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lsbench.store.results import ResultsFolder

STATES = ("ok", "stopped", "failed", "missing")


@dataclass(frozen=True)
class SuiteStatus:
    """How far one suite and preset is.

    Attributes:
        counts: Job kind -> state (``ok``, ``stopped``, ``failed``, ``missing``) -> number of jobs.
        errors: The last error of each failed job, by label.
        is_running: Whether a driver holds the folder now.
    """

    suite: str
    preset: str
    counts: dict[str, Counter[str]]
    errors: dict[str, str]
    is_running: bool

    def total(self, state: str) -> int:
        """Return the number of jobs in a state."""
        return sum(counter[state] for counter in self.counts.values())


def read_status(folder: ResultsFolder) -> SuiteStatus | None:
    """Return how far a folder is, or None if it has no manifest."""
    manifest = folder.manifest()
    if manifest is None:
        return None
    jobs = folder.jobs()
    counts: dict[str, Counter[str]] = {}
    errors: dict[str, str] = {}
    for entry in manifest["jobs"]:
        line = jobs.get(entry["id"])
        state = (
            line["status"] if line else ("ok" if entry["id"] and folder.is_done(entry["id"]) else "missing")
        )
        counts.setdefault(entry["kind"], Counter())[state] += 1
        if line and state == "failed":
            errors[entry["label"]] = line["error"]
    return SuiteStatus(manifest["suite"], manifest["preset"], counts, errors, _is_locked(folder))


def status_lines(found: SuiteStatus) -> Iterator[str]:
    """Yield a suite's status for people: its state, the jobs by kind, the last errors."""
    yield f"{found.suite} ({found.preset}): {_state(found)}"
    for kind, counter in found.counts.items():
        numbers = ", ".join(f"{counter[name]} {name}" for name in STATES if counter[name])
        yield f"  {kind}: {numbers}"
    for label, error in found.errors.items():
        yield f"  {label}: {error}"


def _state(found: SuiteStatus) -> str:
    if found.is_running:
        return "running"
    if found.total("failed"):
        return "failed jobs"
    return "stopped" if found.total("missing") else "complete"


def _is_locked(folder: ResultsFolder) -> bool:
    try:
        with folder.lock_file.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
