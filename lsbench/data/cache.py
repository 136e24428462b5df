"""The cache of generated image folders, each written exactly once per machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from lsbench.core.atomic import atomic_folder
from lsbench.core.cache_root import cache_root
from lsbench.core.lock import locked
from lsbench.core.waits import announce

MARKER = ".complete"


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
    announce(f"writing the images of {name}, once on this machine")
    with locked(parent / f".{target.name}.lock", what=str(target), wait_s=math.inf):
        if not _is_complete(target, fingerprint):
            with atomic_folder(target) as part:
                write(part)
                (part / MARKER).write_text(fingerprint + "\n", encoding="ascii")
    return target


def is_in_cache(name: str, fingerprint: str) -> bool:
    """Return whether a generated data set has been written already; arguments as in :func:`materialise`."""
    return _is_complete(cache_root() / "datasets" / f"{name}-{fingerprint[:12]}", fingerprint)


def _is_complete(folder: Path, fingerprint: str) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="ascii").strip() == fingerprint
    except FileNotFoundError:
        return False
