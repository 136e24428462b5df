"""The surroundings of Ray: its environment, its processes, and its folders on disk."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from lsbench.core.errors import ClusterError, ExitCode
from lsbench.core.waits import announce, if_longer_than

log = logging.getLogger(__name__)

START_S = 120.0
LEAVE_S = 2.0
CONNECT_S = 5.0
#: Longest path of a socket on Linux, without its final zero.
SOCKET_BYTES = 107
#: The longest path of a socket below Ray's folder for temporary files.
SOCKET = "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
VITAL = ("gcs_server", "raylet")
#: The title of a process that serves a node, and before it has that its program.
AGENT = re.compile(r"(Agent|/agent\.py|/agent/main\.py)\s*$")
#: Read by the raylet at its start. By default Ray runs workers at nice 15 (which spoils timings and
#: is inherited by children), kills idle workers early and reports usage.
FLAGS = {
    "RAY_worker_niceness": "0",
    "RAY_idle_worker_killing_time_threshold_ms": "3600000",
    "RAY_num_workers_soft_limit": "64",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


def check_reachable(address: str | None) -> None:
    """Raise at once if nothing listens at ``host:port``; Ray itself would retry for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise ClusterError(f"{address}: no Ray cluster answers there ({error}); see `ray status`") from error


def set_environment(*, is_local: bool) -> None:
    """Set the environment variables that Ray reads at its start; on a cluster the user's settings count."""
    if not is_local:
        return
    os.environ.update(FLAGS)
    if (shown := os.environ.get("ROCR_VISIBLE_DEVICES")) and "HIP_VISIBLE_DEVICES" not in os.environ:
        # Ray wants AMD's other variable, which numbers the devices that this one shows.
        os.environ["HIP_VISIBLE_DEVICES"] = ",".join(map(str, range(len(shown.split(",")))))
    if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def ray_children() -> list[psutil.Process]:
    """Return all descendants of this process, including those of a local Ray."""
    return psutil.Process().children(recursive=True)


def end_processes(processes: list[psutil.Process]) -> None:
    """Wait for our processes that were asked to exit, and kill those that do not."""
    _, alive = psutil.wait_procs(processes, timeout=LEAVE_S)
    kill_processes(alive)


def kill_processes(processes: list[psutil.Process]) -> None:
    """Kill our processes, and wait until they have ended."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=LEAVE_S)


def temporary_folder() -> Path:
    """Return the folder in which Ray makes its own."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - Ray's default


def folder_problem() -> str | None:
    """Return one line if Ray cannot make its folders and sockets, else None."""
    base = temporary_folder()
    name = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
    room = SOCKET_BYTES - len(SOCKET) - 1
    length = len(os.fsencode(base.absolute()))
    if length > room:
        return (
            f"{name}={base}: has {length} letters, and Ray's sockets leave room for {room}; "
            "set RAY_TMPDIR to a shorter folder, e.g. RAY_TMPDIR=/tmp"
        )
    existing = next(folder for folder in (base.absolute(), *base.absolute().parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return f"{name}={base}: cannot be written; set RAY_TMPDIR to a folder that this user can write"
    return None


def mark_session(token: str) -> None:
    """Note that this process is about to start a Ray, so that its folders are found if it is killed.

    Args:
        token: Names the folder of the run's fork server.
    """
    mark = _mark_of(os.getpid())
    with contextlib.suppress(OSError):
        mark.write_text(token, encoding="ascii")


def remove_dead_sessions(remove_more: Callable[[str], object]) -> None:
    """Remove the folders that killed runs of this user have left; those still in use stay for the next time.

    Args:
        remove_more: Removes what else a run has left, by its token.
    """
    marks = {int(mark.stem.rpartition("-")[2]): mark for mark in temporary_folder().glob(_mark_of("*").name)}
    dead = {pid: mark for pid, mark in marks.items() if not psutil.pid_exists(pid)}
    in_use = _command_lines() if dead else ""
    for pid, mark in dead.items():
        if f"_{pid}/" in in_use or f"_{pid} " in in_use:
            continue  # its Ray is about to end
        with contextlib.suppress(OSError):
            remove_more(mark.read_text(encoding="ascii"))
        remove_session_folders(pid)


def _mark_of(pid: int | str) -> Path:
    return temporary_folder() / f"lsbench-{os.getuid()}-{pid}.ray"


def _command_lines() -> str:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += process.cmdline()
    return " ".join([*found, ""])


def remove_session_folders(pid: int | None = None) -> None:
    """Remove the folders left by a local Ray of a process; their names end in its pid.

    Args:
        pid: The process; default: this one.
    """
    base, pid = temporary_folder() / "ray", os.getpid() if pid is None else pid
    for folder in base.glob(f"session_*_{pid}"):
        shutil.rmtree(folder, ignore_errors=True)
    _mark_of(pid).unlink(missing_ok=True)
    latest = base / "session_latest"
    with contextlib.suppress(OSError):
        if latest.is_symlink() and not latest.exists():
            latest.unlink()
        base.rmdir()  # unless another Ray uses it


def vital_processes(children: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those processes of a local Ray without which it is of no use: its head and its node."""
    found = []
    for child in children:
        with contextlib.suppress(psutil.Error):
            found += [child] if child.name() in VITAL else []
    return found


def not_asked_at_the_end(children: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those processes of a local Ray for which its shutdown only waits: workers, monitors, servers.

    The others are asked: without its node, or an agent of it, which ends the node, a shutdown takes seconds.
    """
    found = []
    for child in children:
        with contextlib.suppress(psutil.Error):
            is_asked = child.name() in VITAL or any(map(AGENT.search, child.cmdline()))
            found += [] if is_asked else [child]
    return found


def are_alive(processes: Iterable[psutil.Process]) -> bool:
    """Return whether all these processes run."""
    try:
        return all(one.status() != psutil.STATUS_ZOMBIE for one in processes)
    except psutil.NoSuchProcess:
        return False


class Interrupts:
    """Ctrl-C and SIGTERM during a run: the first ends it in good order, which further ones do not disturb."""

    def __init__(self, stop_at_once: Callable[[], object]) -> None:
        """Change nothing yet.

        Args:
            stop_at_once: Called at the third Ctrl-C, when the process ends without any order.
        """
        self._stop_at_once = stop_at_once
        self._count = 0
        self._before: dict[int, Any] = {}

    def take(self) -> None:
        """Take the signals, if this is the main thread; again after a library has taken them."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before.setdefault(number, signal.signal(number, self._heard))

    def leave(self) -> None:
        """Leave the signals as they were before, unless the process is about to end anyway."""
        if threading.current_thread() is threading.main_thread() and not self._count:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._before.clear()

    def forget(self) -> None:
        """Count from the beginning: what has come did not come from a user."""
        self._count = 0

    def _heard(self, *_: object) -> None:
        self._count += 1
        if self._count == 1:
            raise KeyboardInterrupt
        if self._count == 2:
            announce("stopping already; Ctrl-C once more ends it at once")
            return
        self._stop_at_once()
        os._exit(int(ExitCode.INTERRUPTED))


def start_watchdog() -> contextlib.AbstractContextManager[None]:
    """Print a hint if the start of Ray hangs (as it does without a loopback interface)."""
    hint = "Ray has not started after {:.0f} s: check that the loopback interface is up and not firewalled"
    return if_longer_than(START_S, lambda: log.error(hint.format(START_S)))
