"""The checkpoints of one training, in a folder or in an object store: any URL that fsspec opens.

Each is one sealed file, ``step-<number>.pt``. A training resumes from the newest one with a valid seal; an
older one is removed only after a newer one is safely written.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsbench.core.atomic import NO_ROOM, atomic_write, remove_parts, write_text
from lsbench.core.errors import ConfigError, DiskFullError, LsbenchError, StoreError
from lsbench.engine.sealed_file import opened, read_state, write_sealed
from lsbench.store.job_files import CHECKPOINTS, STEP_PREFIX, STEP_SUFFIX, UNSEALED_STEP_FILE
from lsbench.store.remote_files import one_line, opened_address

log = logging.getLogger(__name__)

#: The number that stands for a file of versions without seals.
UNSEALED_STEP = -1
PROBE = "probe.txt"


class Checkpoints:
    """The checkpoints of one training, written by one process at a time."""

    def __init__(self, url: str | Path, *, keep: int = 2) -> None:
        """Store the address; nothing is created.

        Args:
            url: A folder, or a URL such as ``s3://bucket/prefix``.
            keep: Number of newest checkpoints to keep.

        Raises:
            ConfigError: If the URL's protocol is unknown or its driver is not installed.
        """
        self.url, self._keep = str(url), keep
        self._damaged: set[int] = set()
        protocol = self.url.partition("://")[0] if "://" in self.url else "file"
        self._files, self._root = opened_address(self.url, said_as="checkpoint_url")
        self._is_local = protocol in ("file", "local")

    def name_of(self, step: int) -> str:
        """Return the address of a step's checkpoint, for display."""
        return f"{self.url.rstrip('/')}/{_file_name(step)}"

    def prepare(self) -> None:
        """Write and remove a small file, to find out before hours of work if the place cannot be written.

        Half-written files of a killed process are removed.

        Raises:
            DiskFullError: If there is no room at all.
            StoreError: If the place cannot be written.
        """
        path = f"{self._root.rstrip('/')}/{PROBE}"
        with self._explained("the place cannot be written"):
            if self._is_local:
                remove_parts(Path(self._root))
                write_text(Path(path), "ok")
            else:
                self._files.pipe_file(path, b"ok")
        self._remove(path)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of a step, whole or not at all, then remove the oldest beyond those kept.

        Raises:
            DiskFullError: If there is no room; earlier checkpoints stay.
            StoreError: If the place cannot be written.
        """
        with self._explained(f"{_file_name(step)} cannot be written"):
            self._write(self._path(step), state)
        self._damaged.discard(step)
        steps = self.steps()
        whole = [other for other in steps if other not in self._damaged]
        for old in (*whole[: -self._keep], *self._damaged.intersection(steps)):
            self._remove(self._path(old))

    def keep_newest(self) -> None:
        """Remove all but the newest valid checkpoint, once the training is finished.

        Checkpoints that cannot be listed or read stay: they do no harm.
        """
        try:
            steps = self.steps()
            kept = self.newest_step() if len(steps) > 1 else None
        except StoreError as error:
            log.warning("%s; nothing is removed", error)
            return
        for step in steps if kept is not None else ():
            if step != kept:
                self._remove(self._path(step))

    def _write(self, path: str, state: dict[str, Any]) -> None:
        if self._is_local:
            with atomic_write(Path(path)) as file:
                write_sealed(file, state)
            return
        buffer = io.BytesIO()
        write_sealed(buffer, state)
        # An object appears only after all of it has arrived.
        self._files.pipe_file(path, buffer.getvalue())
        self._files.invalidate_cache()
        expected, found = buffer.tell(), self._files.size(path)
        if found != expected:
            raise StoreError(f"{path}: {found} of {expected} bytes have arrived; run again")

    def _remove(self, path: str) -> None:
        """Remove a file; one that cannot be removed does no harm."""
        try:
            self._files.rm_file(path)
        except Exception as error:  # noqa: BLE001 - each driver has exceptions of its own
            log.warning("%s: cannot be removed (%s)", path, one_line(error))

    def steps(self) -> list[int]:
        """Return the steps that have a file, oldest first; the files are not checked.

        Raises:
            StoreError: If the place cannot be read.
        """
        with self._explained("the checkpoints cannot be listed"):
            self._files.invalidate_cache()
            try:
                names = [Path(path).name for path in self._files.ls(self._root, detail=False)]
            except FileNotFoundError:
                return []
        return sorted(step for name in names if (step := _step_of(name)) is not None)

    def newest_step(self) -> int | None:
        """Return the newest step with a valid checkpoint, or None if there is no checkpoint.

        Damaged ones are skipped with a warning; the next :meth:`save` removes them.

        Raises:
            StoreError: If there are checkpoints and all are damaged, or the place cannot be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            if self._content(step) is not None:
                return step
            self._damaged.add(step)
            log.warning("%s: damaged checkpoint skipped", self.name_of(step))
        if steps:
            names = ", ".join(_file_name(step) for step in steps)
            raise StoreError(
                f"{self.url}: all checkpoints are damaged ({names}); restore one from a copy, "
                "or remove them to train from scratch"
            )
        return None

    def load(self, step: int, *, device: str = "cpu") -> dict[str, Any]:
        """Load the checkpoint of a step. Only tensors and plain values are loaded (``weights_only``).

        Raises:
            StoreError: If it is damaged or missing.
        """
        content = self._content(step)
        try:
            if content is None:
                raise StoreError("it is damaged or missing")
            state: dict[str, Any] = read_state(content, device=device)
        except StoreError as error:
            raise StoreError(
                f"{self.name_of(step)}: the checkpoint cannot be read: {error}; remove it and run again"
            ) from error
        return state

    def load_newest(self, *, device: str = "cpu") -> dict[str, Any] | None:
        """Load the newest valid checkpoint; None if there is no checkpoint. See :meth:`newest_step`."""
        step = self.newest_step()
        return None if step is None else self.load(step, device=device)

    def _content(self, step: int) -> bytes | memoryview | None:
        """Return the sealed content of a step's file, or None if the seal is invalid."""
        with self._explained(f"{_file_name(step)} cannot be read"):
            try:
                whole: bytes = self._files.cat_file(self._path(step))
            except FileNotFoundError:
                return None
        if step != UNSEALED_STEP:
            return opened(whole)
        try:
            read_state(whole)
        except StoreError:
            return None
        return whole

    def _path(self, step: int) -> str:
        return f"{self._root.rstrip('/')}/{_file_name(step)}"

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn a driver's exception into one line; each driver has its own exceptions."""
        try:
            yield
        except DiskFullError as error:
            raise DiskFullError(f"{error}; earlier checkpoints are kept") from error
        except LsbenchError:
            raise
        except (MemoryError, RuntimeError, TypeError, AttributeError, pickle.PickleError):
            raise  # an error of torch or of the program, not of the place
        except Exception as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            if getattr(error, "errno", None) in NO_ROOM:
                raise DiskFullError(f"{self.url}: {what}: no space left ({reason})") from error
            raise StoreError(f"{self.url}: {what} ({reason}); see `checkpoint_url`") from error


def checkpoints_of(folder: Path, url: str | None = None) -> Checkpoints:
    """Return the checkpoints of a job's training.

    Args:
        folder: The job's folder; its name is the job's id.
        url: A place for the checkpoints of many jobs; default: the job's own folder.

    Raises:
        ConfigError: If some process of the training cannot see `url`.
    """
    if url is None:
        return Checkpoints(folder / CHECKPOINTS)
    if "://" not in url and not Path(url).expanduser().is_absolute():
        raise ConfigError(
            f"checkpoint_url {url}: is a relative path, but processes start in other folders; "
            f"give the whole path ('{Path(url).absolute()}') or a URL"
        )
    return Checkpoints(f"{url.rstrip('/')}/{folder.name}")


def _file_name(step: int) -> str:
    return UNSEALED_STEP_FILE if step == UNSEALED_STEP else f"{STEP_PREFIX}{step:09d}{STEP_SUFFIX}"


def _step_of(name: str) -> int | None:
    if name == UNSEALED_STEP_FILE:
        return UNSEALED_STEP
    number = name.removeprefix(STEP_PREFIX).removesuffix(STEP_SUFFIX)
    return int(number) if number.isdigit() and name == _file_name(int(number)) else None
