"""Supervise one child on a node: start it from the node's fork server and pass its events on.

This runs inside a Ray worker and imports neither torch nor Ray. When the worker dies, the connection
to the child closes and the child is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psutil import STATUS_ZOMBIE, NoSuchProcess, Process

from lsbench.core.atomic import write_text
from lsbench.core.forking import (
    SERVER_START_S,
    ServerKilledError,
    await_server,
    begin_server,
    connect_to,
    send_line,
    short_folder,
    start_server,
)
from lsbench.core.lock import locked
from lsbench.core.log_tail import tail
from lsbench.core.plain_text import limited
from lsbench.core.stopping import GRACE_S
from lsbench.scheduler.causes import how_ended
from lsbench.scheduler.job_log import LogLimit
from lsbench.scheduler.throttle import Throttle

POLL_S = 0.1
#: File with the process of a server that has begun to start.
BEGUN = "begun"


def server_folder(token: str) -> Path:
    """Return the folder of a run's fork server on this node; short, since socket paths are limited."""
    return short_folder() / f"lsbench-{os.getuid()}-{token}"


def connect(token: str, watched_pid: int) -> socket.socket:
    """Return a connection to this node's fork server, starting one if there is none.

    Args:
        token: Identifies the run; each run has its own servers.
        watched_pid: The server exits when this process is gone.

    Raises:
        ServerKilledError: If the server was killed as it started.
        StoreError: If the server does not start; the message has the end of its log.
    """
    folder = server_folder(token)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = connect_to(folder)
    if connection is not None:
        return connection
    with locked(folder / "lock", what="the node's fork server", wait_s=SERVER_START_S):
        return connect_to(folder) or _begun(folder) or start_server(folder, watched_pid)


def begin(token: str) -> None:
    """Let this node's fork server begin to start; whoever connects waits for it. It ends with this process.

    It imports for seconds, which nobody has to wait for who has something else to do meanwhile.
    """
    folder = server_folder(token)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = begin_server(folder, os.getpid())
    with contextlib.suppress(OSError):  # where memory runs out, a job ends and not the driver, as with Ray
        Path(f"/proc/{server.pid}/oom_score_adj").write_text("1000", encoding="ascii")
    write_text(folder / BEGUN, str(server.pid))


def _begun(folder: Path) -> socket.socket | None:
    """Return a connection to a server that has begun to start, or None if there is none or it ends."""
    try:
        server = Process(int((folder / BEGUN).read_text(encoding="ascii")))
    except (OSError, ValueError, NoSuchProcess):
        return None
    return await_server(folder, lambda: _is_server(server, folder))


def _is_server(process: Process, folder: Path) -> bool:
    try:
        return process.status() != STATUS_ZOMBIE and str(folder) in process.cmdline()
    except NoSuchProcess:
        return False


def run_request(
    request: dict[str, Any], *, token: str, watched_pid: int, timeout_s: float
) -> Iterator[dict[str, Any]]:
    """Run one request in a child and yield its events; the last one is ``end``.

    Leaving the iteration early closes the connection, which kills the child. A KeyboardInterrupt, as by the
    cancellation of the task, first asks it to stop and gives it time to save.

    Args:
        request: As for :func:`lsbench.scheduler.child.act`, with ``log``, ``env`` and the least
            seconds between two steps, ``step_s``.
        token: As for :func:`connect`.
        watched_pid: As for :func:`connect`.
        timeout_s: Seconds from the start of the child until it is killed.
    """
    try:
        opened = connect(token, watched_pid)
    except ServerKilledError as killed:
        yield {"ev": "end", "ok": False, "error_class": "worker_lost", "message": str(killed)}
        return
    with contextlib.closing(opened) as connection:
        send_line(connection, {**request, "scratch": str(server_folder(token))})
        yield {
            "ev": "start",
            "gpus": request.get("env", {}).get("CUDA_VISIBLE_DEVICES", ""),
            "nice": os.nice(0),
        }
        deadline, pid = time.monotonic() + timeout_s, 0
        throttle = Throttle(request.get("step_s", 0.0))
        error: dict[str, Any] = {}
        end: dict[str, Any] | None = None
        log = LogLimit(Path(request["log"]) if request.get("log") else None)
        try:
            for event in _events(connection, deadline, log):
                pid = event["pid"] if event["ev"] == "started" else pid
                if event["ev"] == "error":
                    error = event
                elif event["ev"] in ("exit", "lost", "timeout"):
                    end = event
                elif throttle.passes(event):
                    yield event
        except KeyboardInterrupt:
            _ask_to_stop(pid, connection, log)
            raise
    yield _end(end or {"ev": "lost"}, error, request)


def _ask_to_stop(pid: int, connection: socket.socket, log: LogLimit) -> None:
    """Ask a child to stop, and wait for its end."""
    if not pid:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        for _ in _events(connection, time.monotonic() + GRACE_S, log):
            pass


def _events(connection: socket.socket, deadline: float, log: LogLimit) -> Iterator[dict[str, Any]]:
    """Yield the lines of a connection as events, then ``exit``, ``lost`` or ``timeout``."""
    pending = b""
    while time.monotonic() < deadline:
        log.check()
        if not select.select([connection], [], [], POLL_S)[0]:
            continue  # short waits, so that a cancelled task is interrupted between them
        try:
            part = connection.recv(65536)
        except OSError:
            part = b""
        if not part:
            yield {"ev": "lost"}
            return
        *lines, pending = (pending + part).split(b"\n")
        for line in lines:
            event = json.loads(line)
            yield event
            if event["ev"] == "exit":
                return
    yield {"ev": "timeout"}


def _end(last: dict[str, Any], error: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    if last["ev"] == "timeout":
        return {"ev": "end", "ok": False, "error_class": "timeout", "message": ""}
    if last["ev"] == "exit" and last["code"] == 0:
        return {"ev": "end", "ok": True}
    if error:
        return {"ev": "end", "ok": False, **{k: v for k, v in error.items() if k != "ev"}}
    if last["ev"] == "exit" and last["code"] == -signal.SIGTERM:
        # It came before the child could heed it.
        return {"ev": "end", "ok": False, "error_class": "preempted", "message": ""}
    how = how_ended(last["code"]) if last["ev"] == "exit" else "ended: its fork server died"
    log = limited(tail(Path(request["log"]), lines=1)) if request.get("log") else ""
    message = f"the job's process {how}, without a result{': ' + log if log else ''}"
    return {"ev": "end", "ok": False, "error_class": "worker_lost", "message": message}
