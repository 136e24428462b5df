"""The surroundings of Ray: its environment, its processes, and its folders on disk."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
from pathlib import Path

import psutil

from lsbench.core.errors import ClusterError
from lsbench.core.waits import if_longer_than

log = logging.getLogger(__name__)

START_S = 120.0
LEAVE_S = 2.0
CONNECT_S = 5.0
#: Longest path of a socket on Linux, without its final zero.
SOCKET_BYTES = 107
#: The longest path of a socket below Ray's folder for temporary files.
SOCKET = "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
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
    if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def ray_children() -> list[psutil.Process]:
    """Return all descendants of this process, including those of a local Ray."""
    return psutil.Process().children(recursive=True)


def end_processes(processes: list[psutil.Process]) -> None:
    """Wait for our processes that were asked to exit, and kill those that do not."""
    _, alive = psutil.wait_procs(processes, timeout=LEAVE_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=LEAVE_S)


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


def remove_session_folders() -> None:
    """Remove the folders left by a local Ray of this process; their names end in its pid."""
    base = temporary_folder() / "ray"
    for folder in base.glob(f"session_*_{os.getpid()}"):
        shutil.rmtree(folder, ignore_errors=True)
    latest = base / "session_latest"
    with contextlib.suppress(OSError):
        if latest.is_symlink() and not latest.exists():
            latest.unlink()
        base.rmdir()  # unless another Ray uses it


def start_watchdog() -> contextlib.AbstractContextManager[None]:
    """Print a hint if the start of Ray hangs (as it does without a loopback interface)."""
    hint = "Ray has not started after {:.0f} s: check that the loopback interface is up and not firewalled"
    return if_longer_than(START_S, lambda: log.error(hint.format(START_S)))
