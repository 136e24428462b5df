"""The content of the live page, read repeatedly from results folders while runs write them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lsbench.core.errors import LsbenchError, NothingMeasuredError
from lsbench.rendering.cells import tables
from lsbench.store.damage import explained, read_each
from lsbench.store.durations import Remaining
from lsbench.store.results import ResultsFolder
from lsbench.tables.status import SuiteStatus, read_status
from lsbench.tables.summary import Summary, summarize

FILES = ("manifest.json", "jobs.jsonl", "records.jsonl")
MOST_ROWS, MOST_ERRORS = 200, 20
#: Tables are kept this many times as long as they took to build: a large store must not keep a core busy.
REST = 10

Stamp = tuple[Any, ...]


@dataclass
class _Kept:
    """A summary, the state of its files, running and due jobs at that time, and when it may be rebuilt."""

    stamp: Stamp
    due: dict[str, str]
    summary: Summary | None
    next_at: float = 0.0


@dataclass
class Snapshots:
    """Reads results folders for the page; unchanged ones are not read again.

    Attributes:
        find_folders: Returns the folders to show; they may appear while the page is open.
        clock: Seconds of a monotonic clock.
    """

    find_folders: Callable[[], Sequence[ResultsFolder]]
    clock: Callable[[], float] = time.monotonic
    _kept: dict[Path, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> dict[str, Any]:
        """Return the current state of every suite; a suite that cannot be read has its error instead."""
        with self._lock:
            try:
                folders = self.find_folders()
            except NothingMeasuredError as error:
                return {"suites": [], "problem": f"{error} - this page shows them as soon as a run begins."}
            except LsbenchError as error:
                return {"suites": [], "problem": str(error)}
            return {"suites": [found for folder in folders if (found := self._suite(folder))], "problem": ""}

    def summaries(self) -> list[Summary]:
        """Return the current summaries of all folders."""
        with self._lock:
            found = read_each(self.find_folders(), self._current)
        return [summary for summary in found if summary is not None]

    def _current(self, folder: ResultsFolder) -> Summary | None:
        status = read_status(folder)
        return self._summary(folder, status, is_patient=False)

    def _suite(self, folder: ResultsFolder) -> dict[str, Any] | None:
        try:
            with explained(folder.root):
                status = read_status(folder)
                if status is None:
                    return None
                summary = self._summary(folder, status, is_patient=True)
                return {
                    "name": folder.place,
                    "problem": "",
                    **_status(status),
                    "tables": _tables(summary),
                }
        except LsbenchError as error:
            return {"name": folder.place, "problem": str(error)}

    def _summary(
        self, folder: ResultsFolder, status: SuiteStatus | None, *, is_patient: bool
    ) -> Summary | None:
        due, running = ({}, {}) if status is None else (status.due, status.running)
        kept = self._kept.get(folder.root)
        stamp = (*_stamp(folder.root), *running)
        if kept and kept.due == due and (kept.stamp == stamp or (is_patient and self.clock() < kept.next_at)):
            return kept.summary
        start = self.clock()
        made = _Kept(stamp, due, summarize(folder))
        made.next_at = self.clock() + REST * (self.clock() - start)
        self._kept[folder.root] = made
        return made.summary


def _stamp(root: Path) -> Stamp:
    found: list[Any] = []
    for name in FILES:
        try:
            stat = (root / name).stat()
            found.append((stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def _status(status: SuiteStatus) -> dict[str, Any]:
    errors = list(status.errors.items())
    return {
        "is_running": status.is_running,
        "ends_at": _end(status.time_left),
        "time_left": "" if status.time_left is None or _end(status.time_left) else status.time_left.text(""),
        "counts": {kind: dict(counter) for kind, counter in status.counts.items()},
        "running": [{"label": label, "since": since} for label, since in status.running.items()],
        "epochs": {label: list(epochs) for label, epochs in status.trainings.items()},
        "errors": errors[-MOST_ERRORS:],
        "more_errors": max(len(errors) - MOST_ERRORS, 0),
    }


def _end(left: Remaining | None) -> str | None:
    """Return when the running run is expected to end, to the second; None if unknown or none runs."""
    if left is None or left.seconds is None or left.unknown:
        return None
    return (datetime.now(UTC) + timedelta(seconds=left.seconds)).isoformat(timespec="seconds")


def _plain(text: str, rank: int | None) -> str:
    return text


def _tables(summary: Summary | None) -> list[dict[str, Any]]:
    """Return the tables with the wording of the reports, at most :data:`MOST_ROWS` rows each."""
    if summary is None:
        return []
    return [
        {
            "heading": heading,
            "titles": titles,
            "rows": rows[:MOST_ROWS],
            "more": max(len(rows) - MOST_ROWS, 0),
        }
        for heading, titles, rows in tables(summary, _plain)
    ]
