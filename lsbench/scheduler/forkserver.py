"""A preloaded process per node that forks jobs, so that no job waits for the import of torch.

The server imports the heavy packages, runs none of their operations, and waits on a socket. A
connection carries one request as a JSON line; the forked child answers with events as JSON lines
and the server adds the exit status. The connection is also the child's lifeline: when the other side
closes it, for any reason, the child and all its descendants are killed.

The server exits when it has been idle for a while, or when the process that it watches (the
node's raylet) is gone. SIGTERM, or a request for it, is passed on to the children: each saves and ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
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
from pathlib import Path
from typing import Any, NoReturn

from lsbench.core.atomic import set_mode
from lsbench.core.cache_root import settle_home
from lsbench.core.errors import PreemptedError
from lsbench.core.lifeline import adopt_orphans, end_children
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
)
IDLE_S = 120.0
#: Seconds in which a request to stop may follow the loss of the connection, as when all of a node is stopped.
ARRIVAL_S = 0.2
SOCKET = "fork.sock"


def send_line(connection: socket.socket, event: dict[str, Any]) -> None:
    """Send one event as a JSON line; a closed connection is not an error here."""
    with contextlib.suppress(OSError):
        connection.sendall((json.dumps(event) + "\n").encode())


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
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        selector.register(self.wake_read, selectors.EVENT_READ)
        while self._is_wanted():
            ready = {key.fileobj for key, _ in selector.select(timeout=0.5)}
            if self.wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    self.wake_read.recv(4096)
            self._reap()
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
        """Ask every child to stop, and return how many there are; they may still save."""
        self.asked &= self.children.keys()
        for pid in self.children.keys() - self.asked:
            self.asked.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return len(self.children)

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
            request = _read_request(connection)
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
            self._become_child(connection, request)
        self.children[pid] = connection

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
                self._end_rest_of(pid)
                send_line(connection, {"ev": "exit", "code": os.waitstatus_to_exitcode(status)})
                connection.close()

    def _end_rest_of(self, pid: int) -> None:
        """End what a job has left behind: its group, and processes in the background, which are ours now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        end_children(self.children)

    def _become_child(self, connection: socket.socket, request: dict[str, Any]) -> NoReturn:
        """Turn this forked copy of the server into the process of a job; never returns."""
        status = 70
        try:
            os.setsid()
            adopt_orphans()  # so that they come to the server when this process ends, and not before
            signal.set_wakeup_fd(-1)
            for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            for other in (self.listener, self.wake_read, self.wake_write, *self.children.values()):
                other.close()
            _redirect(request.get("log"))
            threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
            status = run_request(request, connection)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def _read_request(connection: socket.socket) -> dict[str, Any]:
    """Return the first JSON line of a connection."""
    content = b""
    while not content.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            raise ValueError("the connection closed before the request was complete")
        content += part
    request: dict[str, Any] = json.loads(content)
    return request


def run_request(request: dict[str, Any], connection: socket.socket) -> int:
    """Run a request in this process and send its events; return the exit status."""
    from lsbench.scheduler.child import act, describe

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


def _redirect(log: str | None) -> None:
    """Redirect the output of the job to its log file, and with it the lines of code where a fault ends it."""
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if log is not None:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
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
    for module in PRELOAD:
        importlib.import_module(module)


def main() -> None:
    """Run a fork server: ``python -m lsbench.scheduler.forkserver FOLDER WATCHED_PID``."""
    folder, watched_pid = Path(sys.argv[1]), int(sys.argv[2])
    settle_home()  # on a cluster, no command line of lsbench has run on this node
    _preload(folder)
    server = ForkServer(folder, watched_pid)
    try:
        server.serve()
    finally:
        if server.has_socket():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
