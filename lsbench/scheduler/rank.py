"""The process of one rank of a job: torchrun starts ``python -m lsbench.scheduler.rank FOLDER``."""

from __future__ import annotations

import os
import sys

from lsbench.core.forking import send_line
from lsbench.core.lifeline import die_with_parent
from lsbench.core.stopping import heeding_stop, is_asked_to_stop
from lsbench.core.waits import told_to
from lsbench.scheduler.torchrun import EVENTS

if __name__ == "__main__":
    die_with_parent()  # before the seconds that importing torch takes

import socket
import traceback
from pathlib import Path
from typing import Any, TextIO

from lsbench.scheduler.causes import is_lost_rank
from lsbench.scheduler.child import Emit, describe, execute
from lsbench.scheduler.throttle import throttled


class PrefixedStream:
    """A text stream that prefixes each line with its rank, as all ranks share one log."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        """Write to `stream`, with `prefix` before each line."""
        self._stream, self._prefix = stream, prefix
        self._at_start = True

    def write(self, text: str) -> int:
        """Write text; return its length."""
        for line in text.splitlines(keepends=True):
            self._stream.write(self._prefix + line if self._at_start else line)
            self._at_start = line.endswith("\n")
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def run_rank(folder: Path, rank: int, send: Emit) -> int:
    """Run this rank's share of the job and return the exit status.

    Args:
        folder: The job's folder.
        rank: Number of this rank; only the first rank sends its progress.
        send: Receives events; any rank sends its error.
    """
    emit = throttled(send) if rank == 0 else lambda event: None
    with heeding_stop():
        return _run_heeding(folder, emit, send)


def _run_heeding(folder: Path, emit: Emit, send: Emit) -> int:
    try:
        with told_to(lambda what: emit({"ev": "wait", "what": what}), each_time=True):
            execute(folder, emit)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - any error of a job, sys.exit too, is stored with the job
        traceback.print_exc()
        send({"ev": "error", **describe_in_world(error)})
        return 1
    return 0


def describe_in_world(error: BaseException) -> dict[str, str]:
    """Return class and message of a rank's failure; the loss of another rank is not an error of the job."""
    if is_lost_rank(error) and not is_asked_to_stop():
        return {"error_class": "worker_lost", "message": "another rank is gone"}
    return describe(error)


def main() -> None:
    """Run one rank of the job whose folder is given."""
    rank = int(os.environ["RANK"])
    sys.stdout = PrefixedStream(sys.stdout, f"[rank {rank}] ")
    sys.stderr = PrefixedStream(sys.stderr, f"[rank {rank}] ")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.environ[EVENTS])
        status = run_rank(Path(sys.argv[1]), rank, lambda event: send_line(connection, event))
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 0:
        from lsbench.engine.distributed import leave_world

        leave_world()
    os._exit(status)  # an orderly exit would wait for a lost rank


if __name__ == "__main__":
    main()
