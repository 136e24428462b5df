"""Find and remove what a results folder no longer needs; every number and the weights of current jobs stay.

Links are not followed, and nothing outside of the folder is touched. Removal holds the driver's lock. A
folder is first moved out of the way as a whole, so that an interruption leaves no half of a job.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lsbench.core.errors import StoreError
from lsbench.core.lock import is_held
from lsbench.store.earlier import EARLIER
from lsbench.store.job_files import CHECKPOINTS, EMA, WEIGHTS
from lsbench.store.owned import complete, owned
from lsbench.store.results import MANIFEST, RESULT, SPEC, ResultsFolder, read_json
from lsbench.store.room import files_below, is_cache, is_step_file, room_of, size_of
from lsbench.store.trials import SNAPSHOTS

#: Inside a results folder: job folders on their way out.
REMOVED = ".removed"


class Waste(StrEnum):
    """The classes of what can be removed."""

    CHECKPOINTS = "checkpoints"
    JOBS = "jobs"
    CACHES = "caches"


@dataclass(frozen=True)
class Removable:
    """A file or folder that can be removed.

    Attributes:
        size: Its bytes.
        job_id: The job that it belongs to; empty for a cache.
        label: The job's label, if it is known.
    """

    waste: Waste
    path: Path
    size: int
    job_id: str = ""
    label: str = ""


def with_rechecks(folder: ResultsFolder) -> list[ResultsFolder]:
    """Return a results folder, and those inside it that hold second measurements."""
    if is_behind_link(folder):
        return [folder]
    inner = sorted(path.parent for path in folder.root.glob(f"*/{MANIFEST}"))
    return [folder, *(ResultsFolder(path, warn=folder.warn) for path in inner if _is_folder(path))]


def is_behind_link(folder: ResultsFolder) -> bool:
    """Return whether a results folder lies elsewhere, behind a link of its suite or preset."""
    return any(path.is_symlink() for path in (folder.root, folder.root.parent, folder.root / "jobs"))


def find_removable(folder: ResultsFolder) -> list[Removable]:
    """Return what can be removed from a results folder, except for jobs that run; nothing is written.

    Raises:
        StoreError: If its manifest is damaged.
    """
    manifest = folder.manifest()
    if manifest is None or is_behind_link(folder):
        return []
    complete(folder)
    left = _folders(folder.root / REMOVED)
    found = [Removable(Waste.JOBS, path, room_of(path), path.name) for path in left]
    found += [Removable(Waste.CACHES, path, size) for path, size in _caches(folder)]
    expected = {entry["id"] for entry in manifest["jobs"]}
    pending = {entry["label"] for entry in manifest["jobs"] if not entry["id"]}
    for path in _folders(folder.root / "jobs"):
        if is_held(folder.job_lock_file(path.name)):
            continue
        found += _of_finished_job(path) if path.name in expected else _of_stale_job(path, pending)
    for place in _folders(folder.root / EARLIER):
        for path in _folders(place):
            found += _of_finished_job(path)
    return found


def remove(folder: ResultsFolder) -> list[Removable]:
    """Remove from a results folder all that can be removed, and return it.

    Raises:
        StoreError: If a driver holds the folder, its manifest is damaged, or something cannot be removed.
    """
    if not find_removable(folder):
        return []
    with owned(folder):
        found = find_removable(folder)
        # Numbers that only a job's folder holds reach the journals first.
        folder.reconcile({one.job_id for one in found if one.waste is Waste.JOBS})
        for one in found:
            try:
                _remove(folder, one)
            except OSError as error:
                raise StoreError(f"{one.path}: cannot be removed ({error.strerror or error})") from error
    return found


def _remove(folder: ResultsFolder, one: Removable) -> None:
    if not _is_folder(one.path):
        one.path.unlink(missing_ok=True)
        return
    path, aside = one.path, folder.root / REMOVED
    if path.parent != aside:
        if aside.is_symlink():
            raise OSError(f"{aside} is a link")
        aside.mkdir(exist_ok=True)
        path = path.rename(aside / f"{one.job_id}-{path.name}")
    shutil.rmtree(path)
    if not any(aside.iterdir()):
        aside.rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _folders(path: Path) -> list[Path]:
    return sorted(inner for inner in path.iterdir() if _is_folder(inner)) if _is_folder(path) else []


def _caches(folder: ResultsFolder) -> Iterator[tuple[Path, int]]:
    for path in sorted(folder.root.iterdir()):
        if is_cache(path.name) and path.is_file() and not path.is_symlink():
            yield path, room_of(path)


def _of_finished_job(job_folder: Path) -> Iterator[Removable]:
    """Yield the checkpoints of a job that is done and whose weights are safe."""
    if not (job_folder / RESULT).is_file() or not _has_weights(job_folder):
        return
    name, label = job_folder.name, _label(job_folder)
    steps = job_folder / CHECKPOINTS
    for entry in _steps(steps):
        yield Removable(Waste.CHECKPOINTS, Path(entry.path), size_of(entry), name, label)
    snapshots = job_folder / SNAPSHOTS
    if _is_folder(snapshots):
        yield Removable(Waste.CHECKPOINTS, snapshots, room_of(snapshots), name, label)


def _steps(folder: Path) -> Iterator[os.DirEntry[str]]:
    if not _is_folder(folder):
        return
    for entry in files_below(folder):
        is_own = Path(entry.path).parent == folder and entry.is_file(follow_symlinks=False)
        if is_own and is_step_file(entry.name):
            yield entry


def _has_weights(job_folder: Path) -> bool:
    """Return whether the last weights are there; with an average, it is there too."""
    average = (_read(job_folder / SPEC).get("spec") or {}).get("ema_decay")
    wanted = [job_folder / WEIGHTS, *([] if average is None else [job_folder / EMA])]
    return all(path.is_file() and path.stat().st_size > 0 for path in wanted)


def _of_stale_job(job_folder: Path, pending: Iterable[str]) -> Iterator[Removable]:
    """Yield the folder of a job that the suite no longer expects.

    A job whose id is unknown because its data is absent may be this one. An unfinished training is kept, as
    its checkpoints hold work that nothing else does.
    """
    is_done = (job_folder / RESULT).is_file()
    is_job = is_done or (job_folder / SPEC).is_file()
    label = _label(job_folder)
    may_be_expected = bool(pending) and (not label or label in pending)
    is_unfinished = not is_done and any(_steps(job_folder / CHECKPOINTS))
    if is_job and not may_be_expected and not is_unfinished:
        yield Removable(Waste.JOBS, job_folder, room_of(job_folder), job_folder.name, label)


def _label(job_folder: Path) -> str:
    """Return the label of a job as its folder tells it, or an empty text."""
    told = _read(job_folder / RESULT).get("job") or {}
    if "label" in told:
        return str(told["label"])
    job = _read(job_folder / SPEC)
    try:
        seed = "" if job["seed"] is None else f"/seed{job['seed']}"
        return f"{job['variant']['name']}/{job['name']}{seed}"
    except (KeyError, TypeError):
        return ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) or {}
    except StoreError:
        return {}
