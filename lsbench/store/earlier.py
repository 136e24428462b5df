"""Set results aside that do not stand any more: they stay in the store, out of the way of the new ones.

A job's folder moves as a whole to ``earlier/<job id>/<number>``, and its lines leave the journals, so that no
reader takes them for current.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from lsbench.core.atomic import atomic_write, make_folder, sync_folder
from lsbench.core.errors import StoreError
from lsbench.store.results import JOBS, RECORDS, SPEC, ResultsFolder, read_json
from lsbench.store.trials import TRIALS

EARLIER = "earlier"
_JOB_ID = re.compile(rb'"job_id": "([\w-]+)"')


def set_aside(folder: ResultsFolder, job_ids: Collection[str]) -> list[Path]:
    """Move the folders of jobs aside and return their new places; only the driver may do so.

    The journals come first: a driver that is killed in between finds the lines missing, and writes them again
    from the job folders.

    Args:
        folder: The results folder.
        job_ids: Ids of the jobs, in the order in which they go; those without a folder are left out.

    Raises:
        StoreError: If the checkpoints of a training lie elsewhere and cannot be removed.
    """
    names = [name for name in dict.fromkeys(job_ids) if folder.job_folder(name).exists()]
    if not names:
        return []
    for name in names:
        _remove_checkpoints(folder.job_folder(name))
    for journal in (RECORDS, JOBS, TRIALS):
        _drop_lines(folder.root / journal, {name.encode() for name in names})
    return [_move(folder, name) for name in names]


def _remove_checkpoints(job_folder: Path) -> None:
    """Remove checkpoints that lie elsewhere, where the next training of this job would go on from them."""
    spec = (read_json(job_folder / SPEC) or {}).get("spec") or {}
    if not spec.get("checkpoint_url"):
        return
    import fsspec

    url = f"{str(spec['checkpoint_url']).rstrip('/')}/{job_folder.name}"
    try:
        files, root = fsspec.core.url_to_fs(url)
        if files.exists(root):
            files.rm(root, recursive=True)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(
            f"{url}: checkpoints of an earlier run cannot be removed ({reason}); see `checkpoint_url`"
        ) from error


def earlier_results(folder: ResultsFolder, job_id: str) -> list[Path]:
    """Return the folders of a job's earlier results, oldest first."""
    place = folder.root / EARLIER / job_id
    found = [path for path in place.glob("*") if path.name.isdecimal()] if job_id else []
    return sorted(found, key=lambda path: int(path.name))


def _move(folder: ResultsFolder, name: str) -> Path:
    last = earlier_results(folder, name)
    target = folder.root / EARLIER / name / str(int(last[-1].name) + 1 if last else 1)
    make_folder(target.parent)
    source = folder.job_folder(name)
    moved = source.rename(target)
    for changed in (target.parent, source.parent):
        sync_folder(changed)
    return moved


def _drop_lines(path: Path, names: set[bytes]) -> None:
    """Rewrite a journal without the lines of some jobs."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    kept = [line for line in lines if not ((found := _JOB_ID.search(line)) and found[1] in names)]
    if len(kept) < len(lines):
        with atomic_write(path) as file:
            file.writelines(kept)
