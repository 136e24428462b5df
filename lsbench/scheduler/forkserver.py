"""A preloaded process per node that forks jobs, so that no job waits for the import of torch.

The server imports the heavy packages, runs none of their operations, and waits on a socket. A
connection carries one request as a JSON line; the forked child answers with events as JSON lines
and the server adds the exit status. The connection is also the child's lifeline: when the other side
closes it, for any reason, the child and all its descendants are killed. A job asks for the process of a
timing in the same way; there the server itself watches the connection, as a second thread in the process
would change what is timed.

The server exits when it has been idle for a while, or when the process that it watches (the
node's raylet) is gone. SIGTERM, or a request for it, is passed on to the children: each saves and ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lsbench.core.atomic import make_folder, set_mode, with_room
from lsbench.core.cache_root import settle_home
from lsbench.core.errors import LsbenchError, PreemptedError
from lsbench.core.forking import FOLDER, SOCKET, close_files, read_request, send_line
from lsbench.core.garbage import no_garbage_collection
from lsbench.core.lifeline import adopt_orphans, die_with, end_children
from lsbench.core.loops import make_ready
from lsbench.core.registry import ANALYSES, DATASETS, JOBS, METRICS, MIXERS, PROBES
from lsbench.core.stopping import GRACE_S, has_stop_arrived, heeding_stop
from lsbench.core.waits import told_to

PRELOAD = (
    "torch",
    "torchvision",
    "timm",
    "timm.optim",
    "timm.scheduler",
    "timm.data",
    "torch.distributed.run",
    "lsbench.engine.distributed",
    "lsbench.engine.trainer",
    "lsbench.engine.evaluator",
    "lsbench.models.factory",
    "lsbench.models.ops.ska_cpu_kernels",
    "lsbench.models.ops.ska_cpu_three_kernels",
    "lsbench.models.ops.ska_cpu_three_tail_kernels",
    "lsbench.models.downstream.factory",
    "lsbench.timing.layout",
    "lsbench.timing.measure",
    "lsbench.timing.passes",
    "lsbench.timing.session",
    "lsbench.timing.watch",
    "lsbench.timing.host_load",
    "lsbench.scheduler.child",
    "lsbench.data.loading.loader",
    "lsbench.data.readers.folder",
    "lsbench.engine.classify",
    "lsbench.engine.curves",
    "lsbench.engine.intervals",
    "lsbench.engine.preprocessing",
    "lsbench.models.macs",
    "lsbench.store.answers",
    "fsspec.implementations.local",
    "numpy.ma",
    "tabulate",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
)
#: Kinds of plug-ins that lsbench's own jobs look through.
PLUGINS = (JOBS, DATASETS, METRICS, PROBES, ANALYSES, MIXERS)
IDLE_S = 120.0
#: Seconds in which a request to stop may follow the loss of the connection, as when all of a node is stopped.
ARRIVAL_S = 0.2


class ForkServer:
    """Accepts requests, forks children, and reports their exit status."""

    def __init__(self, folder: Path, watched_pid: int) -> None:
        """Bind the socket in `folder`.

        Args:
            folder: A short path; the socket is ``fork.sock`` in it.
            watched_pid: The server exits when this process is gone.
        """
        self.watched_pid = watched_pid
        self.children: dict[int, socket.socket] = {}
        self.timings: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        self.asked: set[int] = set()
        self.last_used = time.monotonic()
        self.path = path = folder / SOCKET
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        set_mode(path, 0o600)
        self._inode = path.stat().st_ino
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.wake_read, self.wake_write = socket.socketpair()
        self.wake_read.setblocking(False)
        self.wake_write.setblocking(False)

    def serve(self) -> None:
        """Serve until idle or orphaned."""
        adopt_orphans()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.ask_to_stop())
        signal.set_wakeup_fd(self.wake_write.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        while self._is_wanted():
            ready = {key.fileobj for key, _ in self.selector.select(timeout=0.5)}
            if self.wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    self.wake_read.recv(4096)
            self._reap()
            for connection in self.timings.keys() & ready:
                self._kill_timing(connection)
            if self.listener in ready:
                self._accept()
        for connection in self.children.values():
            connection.close()

    def _is_wanted(self) -> bool:
        try:
            os.kill(self.watched_pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        if self.children:
            self.last_used = time.monotonic()
        elif not self.has_socket():
            return False
        return time.monotonic() - self.last_used < IDLE_S

    def ask_to_stop(self) -> int:
        """Ask every job to stop, and return how many there are; they save, and end their timings."""
        jobs = self.children.keys() - self.timings.values()
        self.asked &= jobs
        for pid in jobs - self.asked:
            self.asked.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return len(jobs)

    def has_socket(self) -> bool:
        """Return whether requests still reach this server: its starter may have been killed, and followed."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        self.last_used = time.monotonic()
        connection.settimeout(10)
        try:
            request, files = read_request(connection)
        except (OSError, ValueError):
            connection.close()
            return
        if request.get("action") == "stop":
            send_line(connection, {"ev": "stopping", "count": self.ask_to_stop()})
            connection.close()
            return
        connection.settimeout(None)
        pid = os.fork()
        if pid == 0:
            self._become_child(connection, request, files)
        close_files(files)
        self.children[pid] = connection
        if request.get("action") == "timing":
            self.timings[connection] = pid
            self.selector.register(connection, selectors.EVENT_READ)

    def _kill_timing(self, connection: socket.socket) -> None:
        """Kill the process of a timing that nobody waits for any more."""
        pid = self._forget_timing(connection)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def _forget_timing(self, connection: socket.socket) -> int | None:
        """Stop watching a connection, if it is a timing's; return the process."""
        pid = self.timings.pop(connection, None)
        if pid is not None:
            self.selector.unregister(connection)
        return pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self.children.pop(pid, None)
            if connection is not None:
                self._forget_timing(connection)
                self._end_rest_of(pid)
                send_line(connection, {"ev": "exit", "code": os.waitstatus_to_exitcode(status)})
                connection.close()

    def _end_rest_of(self, pid: int) -> None:
        """End what a job has left behind: its group, and processes in the background, which are ours now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        end_children(self.children)

    def _become_child(
        self, connection: socket.socket, request: dict[str, Any], files: Sequence[int]
    ) -> NoReturn:
        """Turn this forked copy of the server into the process of a job or a timing; never returns."""
        status = 70
        try:
            os.setsid()
            adopt_orphans()  # so that they come to the server when this process ends, and not before
            signal.set_wakeup_fd(-1)
            for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            for other in (self.listener, self.wake_read, self.wake_write, *self.children.values()):
                other.close()
            if request.get("action") == "timing":
                status = run_timing(request, connection, files)
            else:
                os.environ[FOLDER] = str(self.path.parent)
                threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
                status = run_request(request, connection)
        except BaseException:
            traceback.print_exc()  # into the log: nobody else hears of it
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def run_request(request: dict[str, Any], connection: socket.socket) -> int:
    """Run a request in this process and send its events; return the exit status."""
    from lsbench.scheduler.child import act, describe

    try:
        _redirect(request.get("log"))
    except (OSError, LsbenchError) as error:
        send_line(connection, {"ev": "error", **describe(error)})
        return 1
    os.environ.update(request.get("env", {}))  # visible GPUs, before any library reads them
    waits = told_to(lambda what: send_line(connection, {"ev": "wait", "what": what}), each_time=True)
    try:
        with heeding_stop(), waits:
            send_line(
                connection, {"ev": "started", "pid": os.getpid()}
            )  # from now on it may be asked to stop
            return act(request, lambda event: send_line(connection, event))
    except PreemptedError as error:  # asked before the job began
        traceback.print_exc()
        send_line(connection, {"ev": "error", **describe(error)})
        return 1


def run_timing(request: dict[str, Any], connection: socket.socket, files: Sequence[int]) -> int:
    """Time a model in this process, which has one thread, and send the reply; return the exit status.

    Args:
        request: ``request`` as JSON values, and the environment ``env`` and ``cpus`` of who asks.
        connection: Receives the reply.
        files: Become stdout and stderr.
    """
    die_with(os.getppid())
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
    close_files(files)
    os.environ.clear()
    os.environ.update(request["env"])
    if request["cpus"] is not None:
        os.sched_setaffinity(0, request["cpus"])
    from lsbench.timing.layout import shift_memory
    from lsbench.timing.measure import answer
    from lsbench.timing.request import Request

    kept = shift_memory()
    send_line(connection, {"ev": "reply", **answer(Request.model_validate(request["request"]))})
    del kept
    return 0


def _redirect(log: str | None) -> None:
    """Redirect the output of the job to its log file, and with it the lines of code where a fault ends it.

    Raises:
        DiskFullError: If there is no room for the file or its folder.
        OSError: If it cannot be written.
    """
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if log is not None:
        with with_room(Path(log)):
            make_folder(Path(log).parent)
            with open(log, "ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
        faulthandler.enable(file=2)


def _die_with(connection: socket.socket) -> None:
    """Kill this process and its descendants when the other side of the lifeline closes.

    If it has been asked to stop, as the other side has, it gets the time to save.
    """
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
    time.sleep(ARRIVAL_S)
    if has_stop_arrived():
        time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _preload(folder: Path) -> None:
    """Import the heavy packages; temporary files of an import, as of wandb's, go with the server's folder."""
    tempfile.tempdir = str(folder)
    for module in (name for name in PRELOAD if not name.startswith("lsbench.")):
        importlib.import_module(module)
    tempfile.tempdir = None
    for module in (*PRELOAD, *(f"{kind.package}.{name}" for kind in PLUGINS for name in kind.own_names())):
        importlib.import_module(module)
    make_ready()


def main() -> None:
    """Run a fork server: ``python -m lsbench.scheduler.forkserver FOLDER WATCHED_PID``."""
    folder, watched_pid = Path(sys.argv[1]), int(sys.argv[2])
    settle_home()  # on a cluster, no command line of lsbench has run on this node
    with no_garbage_collection():
        _preload(folder)
        gc.freeze()  # or a collection in a fork would write to all objects and copy their memory: 0.4 s
    server = ForkServer(folder, watched_pid)
    try:
        server.serve()
    finally:
        if server.has_socket():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
