"""The job folders of a run, for nodes that do not see them: the side that has the folders.

Files are read and written in pieces, so that one of any size passes a small object store. A file appears
under its name only when all of it has arrived.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from lsbench.core.atomic import make_folder, sync, sync_folder, with_room
from lsbench.core.errors import StoreError
from lsbench.store.job_files import CHECKPOINTS
from lsbench.store.results import ATTEMPTS, LOG, ResultsFolder
from lsbench.store.room import files_below, is_step_file
from lsbench.store.trials import SNAPSHOTS

#: Bytes of a piece.
PIECE = 4 * 2**20
#: Files that stay where they are: the driver alone writes the attempts, and logs are only added to.
LEFT = (ATTEMPTS, LOG)
#: In the name of a file of which only a part has arrived.
PART = ".part-"


class DriverFiles:
    """Reads and writes the files in the job folders of one results folder.

    Only the newest attempt at a job may write: one whose node is given up may still be at work.
    """

    def __init__(self, root: str) -> None:
        """Refer to a results folder, whose driver holds its lock until another one does.

        Args:
            root: ``<results>/<suite>/<preset>``.
        """
        self._folder = ResultsFolder(Path(root))
        self._owner = self._read_owner()
        self._newest: dict[str, int] = {}

    def has(self, name: str) -> bool:
        """Return whether the results folder holds a file of this name."""
        return (self._folder.root / name).is_file()

    def begin(self, job_id: str, attempt: int) -> dict[str, int]:
        """Begin an attempt at a job; return the names of its files, with their bytes.

        Raises:
            StoreError: If a newer attempt has begun, or another driver owns the folder.
        """
        self._check(job_id, attempt)
        folder = self._folder.job_folder(job_id)
        for entry in files_below(folder):
            is_part = entry.name.startswith(".") and PART in entry.name
            if is_part and not entry.name.endswith(f"{PART}{attempt}"):  # other parts of a gang begin, too
                Path(entry.path).unlink(missing_ok=True)
        return self._files(folder)

    def needed(self, job_id: str) -> dict[str, int]:
        """Return the names of the files that other jobs may read of a finished job, with their bytes."""
        found = self._files(self._folder.job_folder(job_id))
        return {name: size for name, size in found.items() if not _is_to_continue(PurePosixPath(name))}

    def read(self, job_id: str, name: str, start: int) -> bytes:
        """Return one piece of a file.

        Raises:
            OSError: If it is gone.
        """
        with self._path(job_id, name).open("rb") as file:
            file.seek(start)
            return file.read(PIECE)

    def write(self, job_id: str, attempt: int, name: str, start: int, content: bytes, whole: int) -> None:
        """Write one piece of a file; the last one puts it in its place.

        Args:
            job_id: The job.
            attempt: The attempt that writes it.
            name: Name of the file in the job's folder.
            start: Position of the piece; the first one begins the file anew.
            content: The piece.
            whole: Bytes of the whole file.

        Raises:
            DiskFullError: If there is no room.
            StoreError: If the attempt is not the newest one, a piece is missing, or another driver owns the
                folder.
        """
        self._check(job_id, attempt)
        path = self._path(job_id, name)
        part = path.with_name(f".{path.name}{PART}{attempt}")
        with with_room(path):
            make_folder(part.parent)
            with part.open("r+b" if start else "wb") as file:
                if file.seek(0, os.SEEK_END) < start:
                    raise StoreError(f"{path}: a piece of it has not arrived")
                file.seek(start)
                file.write(content)
                if start + len(content) < whole:
                    return
                file.truncate(whole)
                file.flush()
                sync(file.fileno())
            os.replace(part, path)
        sync_folder(path.parent)

    def append(self, job_id: str, attempt: int, name: str, content: bytes) -> None:
        """Add to the end of a file.

        Raises:
            DiskFullError: If there is no room.
            StoreError: If the attempt is not the newest one, or another driver owns the folder.
        """
        self._check(job_id, attempt)
        path = self._path(job_id, name)
        with with_room(path):
            make_folder(path.parent)
            with path.open("ab") as file:
                file.write(content)

    def remove(self, job_id: str, attempt: int, name: str) -> None:
        """Remove a file that the job has removed.

        Raises:
            StoreError: If the attempt is not the newest one, or another driver owns the folder.
        """
        self._check(job_id, attempt)
        self._path(job_id, name).unlink(missing_ok=True)

    def _files(self, folder: Path) -> dict[str, int]:
        found = ((Path(entry.path), entry.stat().st_size) for entry in files_below(folder) if entry.is_file())
        sizes = {path.relative_to(folder).as_posix(): size for path, size in found}
        return {name: size for name, size in sizes.items() if is_sent(name)}

    def _path(self, job_id: str, name: str) -> Path:
        """Return the place of a file.

        Raises:
            StoreError: If it is not inside of the job's folder.
        """
        for word in (job_id, *(PurePosixPath(name).parts or ("",))):
            if word in ("", ".", "..", "/") or "\0" in word:
                raise StoreError(f"{job_id}/{name}: not the name of a file in a job's folder")
        return self._folder.job_folder(job_id) / name

    def _check(self, job_id: str, attempt: int) -> None:
        if self._newest.setdefault(job_id, attempt) > attempt:
            raise StoreError(f"{job_id}: a newer attempt at this job is running")
        self._newest[job_id] = attempt
        if self._read_owner() != self._owner:
            raise StoreError(f"{self._folder.root}: another run has taken over these results")

    def _read_owner(self) -> bytes | None:
        try:
            return self._folder.lock_file.read_bytes()
        except OSError:
            return None


def is_sent(name: str) -> bool:
    """Return whether a file of a job's folder is sent from one machine to another.

    >>> [is_sent(name) for name in ("spec.json", "checkpoints/weights.pt", ".lock", "log.txt")]
    [True, True, False, False]
    """
    return name not in LEFT and not any(part.startswith(".") for part in PurePosixPath(name).parts)


def _is_to_continue(path: PurePosixPath) -> bool:
    """Return whether a file only serves the job itself, to go on from."""
    return SNAPSHOTS in path.parts or (path.parent.name == CHECKPOINTS and is_step_file(path.name))
