"""Where generated image folders live, and writing each of them exactly once per machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsbench.core.errors import DataError

MARKER = ".complete"


def cache_root() -> Path:
    """Return the cache folder, created if needed.

    It is ``$LSBENCH_CACHE``, else ``~/.cache/lsbench``, else a per-user folder for temporary files
    where the home folder cannot be written (containers, some clusters).

    Raises:
        DataError: If ``$LSBENCH_CACHE`` is set and cannot be written.
    """
    chosen = os.environ.get("LSBENCH_CACHE")
    if chosen:
        root = Path(chosen).expanduser()
        if not _is_writable(root):
            raise DataError(
                f"expected a writable folder in LSBENCH_CACHE, found {root}; "
                "set it to a folder that this user can write, or unset it"
            )
        return root
    home = Path("~/.cache/lsbench").expanduser()
    if _is_writable(home):
        return home
    fallback = Path(tempfile.gettempdir()) / f"lsbench-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    if fallback.stat().st_uid != os.getuid():
        raise DataError(f"{fallback} belongs to another user; set LSBENCH_CACHE to a folder of yours")
    return fallback


def materialise(name: str, fingerprint: str, write: Callable[[Path], None]) -> Path:
    """Return the cached folder of a generated data set, writing it first if it is not there.

    The folder is written beside its final place and renamed when complete, under a file lock: two
    processes write it once, and a killed one leaves nothing that could be taken for finished.

    Args:
        name: The data set's name.
        fingerprint: Its fingerprint; twelve digits of it are in the folder's name.
        write: Fills the empty folder that it is given.
    """
    parent = cache_root() / "datasets"
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / f"{name}-{fingerprint[:12]}"
    if _is_complete(target, fingerprint):
        return target
    with file_lock(parent / f".{target.name}.lock"):
        if not _is_complete(target, fingerprint):
            _write_and_rename(target, fingerprint, write)
    return target


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (created if needed) until the block ends."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _is_complete(folder: Path, fingerprint: str) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="ascii").strip() == fingerprint
    except FileNotFoundError:
        return False


def _write_and_rename(target: Path, fingerprint: str, write: Callable[[Path], None]) -> None:
    for stale in target.parent.glob(f".{target.name}.part-*"):  # left by a killed process: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.part-"))
    try:
        write(part)
        (part / MARKER).write_text(fingerprint + "\n", encoding="ascii")
        part.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
