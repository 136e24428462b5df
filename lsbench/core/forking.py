"""The connection to a fork server: one request as a JSON line, answered by events as JSON lines.

The server is a process that has imported the heavy packages and does no work of its own; what it forks is as
fresh as a new interpreter after its imports, and starts in hundredths of a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lsbench.core.errors import StoreError
from lsbench.core.log_tail import tail

#: Environment variable of a process that a server has forked: the folder of that server.
FOLDER = "LSBENCH_FORK_SERVER"
SOCKET = "fork.sock"
SERVER = "lsbench.scheduler.forkserver"
SERVER_START_S = 180.0
POLL_S = 0.02
LOG = "log.txt"
PIECE = 65536
MOST_LETTERS = 40
#: The pools of threads that libraries open as they are imported; what a server forks sets its own.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class ServerKilledError(StoreError):
    """A fork server was killed as it started; the next one may live."""


def send_line(connection: socket.socket, event: dict[str, Any]) -> None:
    """Send one event as a JSON line; a closed connection is not an error here."""
    with contextlib.suppress(OSError):
        connection.sendall((json.dumps(event) + "\n").encode())


def connect_to(folder: Path) -> socket.socket | None:
    """Return a connection to the fork server of a folder, or None if none answers."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(folder / SOCKET))
    except OSError:
        connection.close()
        return None
    return connection


def short_folder() -> Path:
    """Return a folder for the private folders (0700) of servers: a socket's path has at most 107 bytes."""
    base = Path(tempfile.gettempdir())
    return base if len(str(base)) <= MOST_LETTERS else Path("/tmp")  # noqa: S108 - see above


def begin_server(folder: Path, watched_pid: int) -> subprocess.Popen[bytes]:
    """Start a fork server, and do not wait until it listens.

    Args:
        folder: A private folder with a short path, which the server removes at its end.
        watched_pid: The server exits when this process is gone.
    """
    # -P keeps the working folder off the path: a checkout in it would hide the installed code.
    command = [sys.executable, "-P", "-m", SERVER, str(folder), str(watched_pid)]
    with (folder / LOG).open("ab") as file:
        return subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, **ONE_THREAD},
        )


def start_server(folder: Path, watched_pid: int) -> socket.socket:
    """Start a fork server and return a connection to it.

    Args:
        folder: As for :func:`begin_server`.
        watched_pid: As for :func:`begin_server`.

    Raises:
        ServerKilledError: If the server was killed as it started.
        StoreError: If the server does not start; the message has the end of its log.
    """
    server = begin_server(folder, watched_pid)
    deadline = time.monotonic() + SERVER_START_S
    found = await_server(folder, lambda: server.poll() is None)
    if found is not None:
        return found
    server.kill()
    if (code := server.wait()) < 0 and time.monotonic() < deadline:
        raise ServerKilledError(f"the fork server was killed by {signal.Signals(-code).name} as it started")
    raise StoreError(f"the fork server did not start: {tail(folder / LOG, lines=3)}")


def await_server(folder: Path, is_running: Callable[[], bool]) -> socket.socket | None:
    """Return a connection to a server that starts, or None if it ends before, or takes too long."""
    deadline = time.monotonic() + SERVER_START_S
    while is_running() and time.monotonic() < deadline:
        connection = connect_to(folder)
        if connection is not None:
            return connection
        time.sleep(POLL_S)
    return None


def own_server() -> socket.socket | None:
    """Return a connection to the fork server that this process comes from, or None if there is none."""
    folder = os.environ.get(FOLDER)
    return connect_to(Path(folder)) if folder else None


def send_request(connection: socket.socket, request: dict[str, Any], files: Sequence[int]) -> None:
    """Send a request, and with it the open files that become stdout and stderr of the forked process.

    Raises:
        OSError: If the server does not listen any more.
    """
    content = (json.dumps(request) + "\n").encode()
    sent = socket.send_fds(connection, [content], list(files))
    if sent < len(content):  # to send nothing fails too, if all was answered and the other end has closed
        connection.sendall(content[sent:])


def read_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the request of a connection, and the open files that came with it.

    Raises:
        ValueError: If the connection ends before the request does; files that came are closed.
    """
    content, files = b"", list[int]()
    try:
        while not content.endswith(b"\n"):
            part, came, _, _ = socket.recv_fds(connection, PIECE, 2)
            files += came
            if not part:
                raise ValueError("the connection closed before the request was complete")
            content += part
        request: dict[str, Any] = json.loads(content)
    except (OSError, ValueError):
        close_files(files)
        raise
    return request, files


def close_files(files: Sequence[int]) -> None:
    """Close open files."""
    for file in files:
        os.close(file)


def read_events(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield the events of a connection until its end; half a line at the end is dropped."""
    pending = b""
    while True:
        try:
            part = connection.recv(PIECE)
        except ConnectionError:
            return
        if not part:
            return
        *lines, pending = (pending + part).split(b"\n")
        yield from map(json.loads, lines)
