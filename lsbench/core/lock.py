"""File locks that the operating system releases when their holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from lsbench.core.errors import StoreError


@contextmanager
def locked(path: Path, *, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the length of the block.

    Args:
        path: The lock file; it is created and not removed.
        what: Name of the locked thing, for the message.
        wait_s: Seconds to wait for another holder; infinity waits as long as it takes.

    Raises:
        StoreError: If another process holds it, which the message names, the file cannot be written, or the
            file system has no locks.
    """
    with _opened(path, what) as file:
        deadline = time.monotonic() + wait_s
        while not _try_lock(file.fileno(), path, what):
            if time.monotonic() >= deadline:
                raise StoreError(f"{what} is in use by {_owner(path)}; wait for it or stop it first ({path})")
            time.sleep(0.05)
        with suppress(OSError):  # a full disk; the owner is only named for people
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield


def _opened(path: Path, what: str) -> FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)
    except OSError as error:
        raise StoreError(
            f"{what} cannot be locked: {path} cannot be written ({error.strerror or error}); check who owns "
            "its folder, and whether it is mounted read-only"
        ) from error


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock, without taking it or creating the file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _try_lock(descriptor: int, path: Path, what: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(
            f"{what} cannot be locked: the file system of {path.parent} has no working file locks "
            f"({error.strerror}); use a folder on a local disk (results: --results DIR, cache: "
            "LSBENCH_CACHE, temporary files: TMPDIR), or mount it with locks"
        ) from error
    return True


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} on {owner['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
