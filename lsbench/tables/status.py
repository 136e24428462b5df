"""The progress of the suites in a results folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from lsbench.core.counted import counted
from lsbench.core.errors import StoreError
from lsbench.core.lock import is_held
from lsbench.core.quantity import from_bytes
from lsbench.store.durations import Remaining, read_time_left
from lsbench.store.job_files import HISTORY
from lsbench.store.results import SPEC, ResultsFolder, read_json
from lsbench.store.room import Room
from lsbench.store.standing import DUE, RUNNING, WAITING, standing_now

STATES = ("ok", RUNNING, "stopped", "failed", DUE, WAITING)


class Epochs(NamedTuple):
    """The progress of a training: finished epochs, and planned epochs (None if unknown)."""

    done: int
    of: int | None


@dataclass(frozen=True)
class SuiteStatus:
    """The progress of one suite and preset.

    Attributes:
        counts: Job kind -> state, one of :data:`STATES` -> number of jobs.
        errors: Label -> last error, for failed jobs.
        is_running: True while a driver holds the folder.
        trainings: Label -> progress, for trainings that have started and are not done.
        due: Label -> reason, for jobs whose result does not stand for the code of now.
        running: Label -> start time in UTC, ISO 8601, for jobs that run on this machine; the oldest first.
        time_left: Estimated time until a running run has ended; None if none runs.
    """

    suite: str
    preset: str
    counts: dict[str, Counter[str]]
    errors: dict[str, str]
    is_running: bool
    trainings: dict[str, Epochs] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    time_left: Remaining | None = None

    def total(self, state: str) -> int:
        """Return the number of jobs in a state."""
        return sum(counter[state] for counter in self.counts.values())


def read_status(folder: ResultsFolder) -> SuiteStatus | None:
    """Return the progress of a results folder, or None if it has no manifest."""
    manifest = folder.manifest()
    if manifest is None:
        return None
    jobs = folder.states()
    counts: dict[str, Counter[str]] = {}
    errors: dict[str, str] = {}
    reasons: dict[str, str] = {}
    trainings: dict[str, Epochs] = {}
    running: dict[str, str] = {}
    begun = folder.begun()
    due = standing_now(folder, manifest, jobs).due(with_unfinished=True)
    for entry in manifest["jobs"]:
        line = jobs.get(entry["id"])
        is_begun = entry["id"] in begun
        state = line["status"] if line else ("ok" if is_begun and folder.is_done(entry["id"]) else WAITING)
        if state in ("ok", "stopped") and entry["id"] in due:
            state = DUE
        if state != "ok" and is_begun and folder.is_running(entry["id"]):
            state = RUNNING
            running[entry["label"]] = _since(folder, entry["id"])
        if state == DUE:
            reasons[entry["label"]] = due[entry["id"]]
        counts.setdefault(entry["kind"], Counter())[state] += 1
        if line and state == "failed":
            errors[entry["label"]] = line["error"]
        if state not in ("ok", "stopped", DUE) and is_begun and (epochs := _epochs(folder, entry["id"])):
            trainings[entry["label"]] = epochs
    is_running = is_held(folder.lock_file)
    return SuiteStatus(
        manifest["suite"],
        manifest["preset"],
        counts,
        errors,
        is_running,
        trainings,
        reasons,
        dict(sorted(running.items(), key=lambda item: item[::-1])),
        read_time_left(folder) if is_running else None,
    )


def _since(folder: ResultsFolder, job_id: str) -> str:
    """Return when the process of a job took the lock of its folder; now, if it has just ended.

    A job that runs where the folder is not seen has no lock; its settings are the first that arrives of it.
    """
    at = datetime.now(UTC)
    for path in (folder.job_lock_file(job_id), folder.job_folder(job_id) / SPEC):
        with suppress(FileNotFoundError):
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            break
    return at.isoformat(timespec="seconds")


def _epochs(folder: ResultsFolder, job_id: str) -> Epochs | None:
    """Return the progress of a training, or None without a finished epoch or for another kind of job."""
    try:
        history = read_json(folder.job_folder(job_id) / HISTORY)
    except (OSError, StoreError):
        return None  # a damaged file must not break the status
    if not history or not history.get("epochs"):
        return None
    return Epochs(len(history["epochs"]), history.get("of_epochs"))


def status_lines(found: SuiteStatus) -> Iterator[str]:
    """Yield a suite's status as lines of text: state, jobs by kind, unfinished trainings, errors."""
    left = "" if found.time_left is None else f", time left: {found.time_left.text('')}"
    yield f"{found.suite} ({found.preset}): {_state(found)}{left}"
    for kind, counter in found.counts.items():
        numbers = ", ".join(f"{counter[name]} {name}" for name in STATES if counter[name])
        yield f"  {kind}: {numbers}"
    for label in dict.fromkeys([*found.running, *found.trainings]):
        yield f"  {label}: {', '.join(_progress(found, label))}"
    for label, error in found.errors.items():
        yield f"  {label}: {error}"
    for reason, count in Counter(found.due.values()).items():
        yield f"  due: {counted(count, 'job')}, as {reason}"


def _progress(found: SuiteStatus, label: str) -> Iterator[str]:
    if label in found.running:
        yield RUNNING
    if epochs := found.trainings.get(label):
        yield f"epoch {epochs.done}" + ("" if epochs.of is None else f" of {epochs.of}")


def room_line(room: Mapping[Room, int]) -> str:
    """Return the room of a results folder as a line of text, the largest class first."""
    parts = sorted((size, name) for name, size in room.items() if size)
    named = ", ".join(f"{from_bytes(size)} {name}" for size, name in reversed(parts))
    return f"  on disk: {from_bytes(sum(room.values()))}" + (f" ({named})" if named else "")


def _state(found: SuiteStatus) -> str:
    if found.is_running or found.running:
        return "running"
    if found.total("failed"):
        return "failed jobs"
    return "stopped" if found.total(WAITING) else "results due" if found.total(DUE) else "complete"
