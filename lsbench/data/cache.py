"""The cache of generated image folders, each written exactly once per machine."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from lsbench.core.atomic import atomic_folder
from lsbench.core.errors import DataError
from lsbench.core.lock import locked

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
        raise DataError(f"{fallback} belongs to another user; set LSBENCH_CACHE to a folder that you own")
    return fallback


def materialise(name: str, fingerprint: str, write: Callable[[Path], None]) -> Path:
    """Return the cached folder of a generated data set, writing it first if it is missing.

    The folder is written under a temporary name, under a file lock, and renamed when complete: two processes
    write it once, and a killed one leaves nothing that could pass for finished.

    Args:
        name: The data set's name.
        fingerprint: Its fingerprint; its first twelve digits are part of the folder's name.
        write: Fills the empty folder that it receives.
    """
    parent = cache_root() / "datasets"
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / f"{name}-{fingerprint[:12]}"
    if _is_complete(target, fingerprint):
        return target
    with locked(parent / f".{target.name}.lock", what=str(target), wait_s=math.inf):
        if not _is_complete(target, fingerprint):
            with atomic_folder(target) as part:
                write(part)
                (part / MARKER).write_text(fingerprint + "\n", encoding="ascii")
    return target


def _is_complete(folder: Path, fingerprint: str) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="ascii").strip() == fingerprint
    except FileNotFoundError:
        return False


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
