"""A limit on the size of a job's log."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

MIB = 2**20
#: A log that grows beyond this is cut in the middle to the bytes at its start and at its end.
MOST_BYTES, START_BYTES, END_BYTES = 64 * MIB, 4 * MIB, 16 * MIB
CHECK_S = 1.0


class LogLimit:
    """Keeps the log of a running job small: start and end stay, and a line between them says what is gone."""

    def __init__(self, path: Path | None) -> None:
        """Watch a log; None: there is none."""
        self._path = path
        self._checked = time.monotonic()

    def check(self) -> None:
        """Cut the log if it is too large, at most once a second.

        Whoever writes appends, so that it goes on at the new end. What it writes during the cut may be lost.
        """
        now = time.monotonic()
        if self._path is None or now - self._checked < CHECK_S:
            return
        self._checked = now
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > MOST_BYTES:
                _cut(self._path)


def _cut(path: Path) -> None:
    """Replace the middle of a log by a line."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - END_BYTES)
        end = file.read(END_BYTES)
        file.seek(START_BYTES)
        limit = f"the log had grown beyond {MOST_BYTES // MIB} MiB"
        file.write(f"\n[lsbench: lines are missing here, as {limit}]\n".encode() + end)
        file.truncate()
