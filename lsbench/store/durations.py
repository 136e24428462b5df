"""How long jobs took on this machine, and how long a run will still take: for estimates, never a result.

``durations.jsonl`` has a line for each job that has ended. ``time_left.json`` is there while a run goes on,
for readers outside of it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lsbench.core.atomic import write_json
from lsbench.core.checked_lines import to_line
from lsbench.core.errors import LsbenchError
from lsbench.core.quantity import from_duration
from lsbench.store.results import TIME_LEFT, ResultsFolder, read_json

DURATIONS = "durations.jsonl"
#: Bytes at the end of a file, and number of files, that are read.
MOST_BYTES, MOST_FILES = 2**19, 20


class Duration(NamedTuple):
    """How long a job took.

    Attributes:
        keys: Names of what it is like, from the most alike to the least; see :mod:`lsbench.scheduler.pace`.
        work: The amount of work, in the unit of its kind.
        start_s: Seconds until it began with the work.
        work_s: Seconds of the work.
    """

    keys: tuple[str, ...]
    work: float
    start_s: float
    work_s: float


class Remaining(NamedTuple):
    """The estimated time until a run has ended.

    Attributes:
        seconds: Seconds of the jobs whose time is known; None if it is known of none.
        unknown: Kinds of the jobs left of which nothing is known.
    """

    seconds: float | None
    unknown: tuple[str, ...] = ()

    def text(self, word: str = "left") -> str:
        """Return the estimate in words.

        >>> Remaining(4333).text(), Remaining(None, ("train",)).text()
        ('about 1 h 12 min left', 'unknown until the first train job has run')
        >>> Remaining(70, ("evaluate", "train")).text("in all")
        'more than 1 min 10 s in all, unknown until the first evaluate and train jobs have run'
        """
        known = "" if self.seconds is None else f"{from_duration(self.seconds)} {word}".rstrip()
        if not self.unknown:
            return f"about {known}" if self.seconds else f"nothing {word}".rstrip()
        is_one = len(self.unknown) == 1
        kinds = f"{' and '.join(self.unknown)} {'job has' if is_one else 'jobs have'}"
        unknown = f"unknown until the first {kinds} run"
        return f"more than {known}, {unknown}" if known else unknown


def add_duration(folder: ResultsFolder, found: Duration) -> None:
    """Keep how long a job took; a disk that takes no more is no reason to end a run.

    Nothing waits for the disk: what a power failure takes is missing in an estimate only.
    """
    line = to_line({**found._asdict(), "host": socket.gethostname()})
    with suppress(OSError), (folder.root / DURATIONS).open("ab", buffering=0) as file:
        file.write(line)


def durations_here(folder: ResultsFolder) -> Iterator[Duration]:
    """Yield how long jobs took on this machine: those of a folder, and of the others beside it."""
    others = [path for path in folder.root.parent.parent.glob(f"*/*/{DURATIONS}") if path.is_file()]
    others.sort(key=lambda path: (path.parent != folder.root, -path.stat().st_mtime))
    host = socket.gethostname()
    for path in others[:MOST_FILES]:
        for line in _last_lines(path):
            with suppress(KeyError, TypeError, ValueError):
                if line["host"] == host:
                    numbers = (float(line[name]) for name in ("work", "start_s", "work_s"))
                    yield Duration(tuple(map(str, line["keys"])), *numbers)


def _last_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BYTES))
        for text in file.read().splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    yield line


def write_time_left(folder: ResultsFolder, estimate: Remaining) -> None:
    """Keep the estimate of a running run for readers."""
    content = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **estimate._asdict()}
    with suppress(OSError, LsbenchError):
        write_json(folder.root / TIME_LEFT, content)


def remove_time_left(folder: ResultsFolder) -> None:
    """Remove the estimate of a run that has ended."""
    with suppress(OSError):
        (folder.root / TIME_LEFT).unlink(missing_ok=True)


def read_time_left(folder: ResultsFolder, now: datetime | None = None) -> Remaining | None:
    """Return the estimate of the running run, less the time since it was made; None if there is none."""
    try:
        content = read_json(folder.root / TIME_LEFT) or {}
        since = ((now or datetime.now(UTC)) - datetime.fromisoformat(content["at"])).total_seconds()
        seconds = content["seconds"]
        left = None if seconds is None else max(1.0, float(seconds) - max(0.0, since))
        return Remaining(left, tuple(map(str, content["unknown"])))
    except (LsbenchError, KeyError, TypeError, ValueError):
        return None  # a damaged estimate must not break the status
