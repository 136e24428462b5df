"""The room that a results folder takes on the disk, by class of file. Links are counted, never followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from lsbench.store.job_files import CHECKPOINTS, EMA, STEP_PREFIX, STEP_SUFFIX, UNSEALED_STEP_FILE, WEIGHTS
from lsbench.store.trials import SNAPSHOTS

#: Files of a results folder that are derived from others.
CACHES = ("cache.parquet", "comparisons_v*.parquet")


class Room(StrEnum):
    """The classes of files."""

    WEIGHTS = "weights"
    CHECKPOINTS = "checkpoints"
    CACHES = "caches"
    REST = "rest"


def room_by_class(root: Path) -> dict[Room, int]:
    """Return the bytes of all files of a results folder by class; it takes one listing of each folder."""
    found = dict.fromkeys(Room, 0)
    for entry in files_below(root):
        found[class_of(Path(entry.path).relative_to(root))] += size_of(entry)
    return found


def class_of(path: Path) -> Room:
    """Return the class of a file, by its path inside a results folder.

    >>> class_of(Path("jobs/train-1/checkpoints/step-000000010.pt")).value
    'checkpoints'
    """
    if len(path.parts) == 1:
        return Room.CACHES if is_cache(path.name) else Room.REST
    inner = path.as_posix()
    if inner.endswith((f"/{WEIGHTS}", f"/{EMA}")):
        return Room.WEIGHTS
    is_step = path.parent.name == CHECKPOINTS and is_step_file(path.name)
    return Room.CHECKPOINTS if is_step or f"/{SNAPSHOTS}/" in inner else Room.REST


def is_cache(name: str) -> bool:
    """Return whether a file beside the journals is derived from them."""
    return any(fnmatchcase(name, glob) for glob in CACHES)


def is_step_file(name: str) -> bool:
    """Return whether a file of this name is the checkpoint of a step."""
    number = name.removeprefix(STEP_PREFIX).removesuffix(STEP_SUFFIX)
    return name == UNSEALED_STEP_FILE or (number.isdigit() and name == f"{STEP_PREFIX}{number}{STEP_SUFFIX}")


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all files and links below a folder; what cannot be listed is left out."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        else:
            yield entry


def size_of(entry: os.DirEntry[str]) -> int:
    """Return the bytes of a file, or 0 if it has just gone."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def room_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    if path.is_dir() and not path.is_symlink():
        return sum(map(size_of, files_below(path)))
    try:
        return path.lstat().st_size
    except OSError:
        return 0
