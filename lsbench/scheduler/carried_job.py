"""A job on a node that does not see the results folder: its files are brought, and sent back as they appear.

They lie in a folder of the node's own, which looks to the job like the results folder, and is removed at
the end. At most what was written after the last sending is lost with the node.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lsbench.core.atomic import with_room
from lsbench.core.cache_root import is_writable
from lsbench.core.errors import LsbenchError
from lsbench.core.lock import is_held, locked
from lsbench.scheduler.driver_files import PIECE, is_sent
from lsbench.store.results import ALIVE, LOCK, LOG, RESULT
from lsbench.store.room import files_below

log = logging.getLogger(__name__)

#: Calls a method of :class:`lsbench.scheduler.driver_files.DriverFiles` where the driver is.
Call = Callable[..., Any]
Events = Iterator[dict[str, Any]]

#: Seconds between two looks for changed files.
EVERY_S = 2.0
#: Seconds between two signs of life.
SIGN_S = 15.0
#: Of the time, at most one part in so many is spent on sending.
SHARE = 10
#: Seconds for which a folder without a lock is left alone: its owner may be about to take the lock.
YOUNG_S = 60.0


def sees(place: Mapping[str, Any]) -> bool:
    """Return whether this node sees the results folder itself, and can write there.

    Args:
        place: ``root``, the results folder, and ``mark``, the name of a file that this run has put there.
    """
    root = Path(place["root"])
    return (root / place["mark"]).is_file() and is_writable(root)


def run_carried(
    request: Mapping[str, Any], call: Call, attempt: int, run: Callable[[dict[str, Any]], Events]
) -> Events:
    """Run a job in a folder of this node and yield its events; the last one is ``end``.

    When it comes, the driver has all files. Of the parts of a gang, the one with the first rank sends them.

    Args:
        request: As for :func:`lsbench.scheduler.supervisor.run_request`, with the ``folder`` where the driver
            is.
        call: Reaches the driver's files.
        attempt: Number of the attempt, higher than that of any before.
        run: Runs a request.
    """
    job_id = Path(request["folder"]).name
    end: dict[str, Any] = {"ev": "end", "ok": False, "error_class": "worker_lost", "message": ""}
    with own_folder() as root:
        is_first = request.get("part", {}).get("node_rank", 0) == 0
        job = CarriedJob(call, root / "jobs" / job_id, attempt, is_first=is_first)
        try:
            job.fetch(request["spec"])
            with job.sending():
                for event in run({**request, "folder": str(job.folder), "log": str(job.folder / LOG)}):
                    if event["ev"] == "end":
                        end = event
                    else:
                        yield event
                    job.check()
            job.send()
            job.leave()
        except KeyboardInterrupt:  # the job was asked to stop, and has saved
            with contextlib.suppress(Exception):
                job.send()
            raise
        except Exception as error:  # noqa: BLE001 - whatever happens on the way is the end of this attempt
            end = _failed(error) if end["ok"] or not end["message"] else end
    yield end


def _failed(error: Exception) -> dict[str, Any]:
    own = (error.error_class or type(error).__name__) if isinstance(error, LsbenchError) else "worker_lost"
    message = " ".join(str(error).split()) or type(error).__name__
    return {
        "ev": "end",
        "ok": False,
        "error_class": own,
        "message": f"its files did not pass between node and driver: {message}",
    }


class CarriedJob:
    """The files of one job, here and where the driver is."""

    def __init__(self, call: Call, folder: Path, attempt: int, *, is_first: bool = True) -> None:
        """Refer to the job's folder on this node; nothing is created.

        Args:
            call: Reaches the driver's files.
            folder: ``<any folder>/jobs/<job id>``.
            attempt: Number of the attempt.
            is_first: Whether this part of the job sends its files; any part sends its log.
        """
        self.folder = folder
        self._call, self._attempt, self._is_first = call, attempt, is_first
        #: Name -> what told that a file is as it was sent: bytes, time and number on the disk.
        self._sent: dict[str, tuple[int, ...]] = {}
        self._log_sent: int | None = None
        self._signed_at = -SIGN_S
        self._failure: LsbenchError | None = None
        self._turn = threading.Lock()

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.folder.name

    def fetch(self, spec: str) -> None:
        """Bring the job's files, and those that it may read of the jobs that it needs.

        Args:
            spec: The text of its ``spec.json``.

        Raises:
            LsbenchError: If there is no room, or the attempt is not the newest one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sign()
        for name, size in self._call("begin", self.job_id, self._attempt).items():
            self._fetch(self.job_id, name, size)
            self._sent[name] = _signature((self.folder / name).stat())
        for needed in sorted(set(json.loads(spec)["needs"].values())):
            for name, size in self._call("needed", needed).items():
                self._fetch(needed, name, size)

    def _fetch(self, job_id: str, name: str, size: int) -> None:
        path = self.folder.parent / job_id / name
        with with_room(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                while file.tell() < size:
                    piece = self._call("read", job_id, name, file.tell())
                    if not piece:
                        raise OSError(f"{job_id}/{name}: has become shorter while it was read")
                    file.write(piece)

    def send(self) -> None:
        """Send what has changed since the last time, the result last, and remove there what is gone here.

        Raises:
            LsbenchError: If there is no room, or the attempt is not the newest one.
        """
        with self._turn:
            self._send_log()
            if not self._is_first:
                return
            found = self._find()
            if not self.folder.is_dir():
                return  # on its way out: not the job has removed the files
            changed = [name for name, signature in found.items() if self._sent.get(name) != signature]
            for name in sorted(changed, key=lambda name: (name == RESULT, found[name][1])):
                self._send_file(name)
            for name in self._sent.keys() - found.keys():
                self._call("remove", self.job_id, self._attempt, name)
                del self._sent[name]

    def sign(self) -> None:
        """Give a sign of life, if the last one is some time ago."""
        now = time.monotonic()
        if self._is_first and now - self._signed_at >= SIGN_S:
            self._signed_at = now
            self._call("write", self.job_id, self._attempt, ALIVE, 0, b"", 0)

    def leave(self) -> None:
        """Say that no further sign of life follows."""
        if self._is_first:
            self._call("remove", self.job_id, self._attempt, ALIVE)

    def _find(self) -> dict[str, tuple[int, ...]]:
        """Return the files to send; the list of names is made first, so a result is not ahead of the rest."""
        found = {}
        for entry in files_below(self.folder):
            name = Path(entry.path).relative_to(self.folder).as_posix()
            with contextlib.suppress(FileNotFoundError):
                if is_sent(name) and entry.is_file(follow_symlinks=False):
                    found[name] = _signature(os.stat(entry.path))
        return found

    def _send_file(self, name: str) -> None:
        try:
            file = (self.folder / name).open("rb")
        except FileNotFoundError:
            return
        with file:
            state = os.fstat(file.fileno())
            start = 0
            while start < state.st_size or not start:
                piece = file.read(min(PIECE, state.st_size - start))
                if not piece and state.st_size:
                    return  # it has become shorter; the next look finds it changed
                self._call("write", self.job_id, self._attempt, name, start, piece, state.st_size)
                start += len(piece)
                if not state.st_size:
                    break
        self._sent[name] = _signature(state)

    def _send_log(self) -> None:
        with contextlib.suppress(FileNotFoundError), (self.folder / LOG).open("rb") as file:
            sent = file.seek(self._log_sent or 0)
            piece = file.read(PIECE)
            while piece or self._log_sent is None:  # an empty log is one, too
                self._call("append", self.job_id, self._attempt, LOG, piece)
                self._log_sent = sent = sent + len(piece)
                piece = file.read(PIECE)

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Send, in a thread, what changes during the block."""
        ended = threading.Event()
        thread = threading.Thread(target=self._send_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _send_until(self, ended: threading.Event) -> None:
        pause = EVERY_S
        while not ended.wait(pause):
            started = time.monotonic()
            try:
                self.sign()
                self.send()
            except LsbenchError as error:
                self._failure = error
                return
            except Exception as error:  # noqa: BLE001 - the way to the driver may be open again next time
                log.warning("%s: its files are sent later (%s)", self.job_id, error)
            pause = max(EVERY_S, SHARE * (time.monotonic() - started))

    def check(self) -> None:
        """Raise the error that makes sending pointless, if there was one.

        Raises:
            LsbenchError: If there is no room, or the attempt is not the newest one.
        """
        if self._failure is not None:
            raise self._failure


def _signature(state: os.stat_result) -> tuple[int, ...]:
    return state.st_size, state.st_mtime_ns, state.st_ino


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Yield a private folder among temporary files, and remove it at the end of the block.

    Those whose owner was killed are removed too.
    """
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_prefix()))
    try:
        with locked(folder / LOCK, what="a job's folder on this node"):
            yield folder
    finally:
        gone = folder.rename(
            folder.with_name(f"{folder.name}-gone")
        )  # as a whole, so that nobody sees a half
        shutil.rmtree(gone, ignore_errors=True)


def remove_abandoned(*, young_s: float = YOUNG_S) -> None:
    """Remove the folders of jobs on this node whose owner was killed, unless they are younger than this."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix()}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            is_old = time.time() - state.st_mtime >= young_s
            if is_old and state.st_uid == os.getuid() and not is_held(folder / LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    return f"lsbench-{os.getuid()}-job-"
