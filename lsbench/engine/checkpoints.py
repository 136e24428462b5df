"""The checkpoints of one training, in a folder or in an object store: any URL that fsspec opens.

Each is one file, ``step-<number>.pt``: what ``torch.save`` writes, sealed with its length and SHA-256. The
newest whose seal holds is the one to go on from; an older one is removed only when a newer lies safely.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import fsspec
import torch

from lsbench.core.errors import ConfigError, DiskFullError, StoreError
from lsbench.store.atomic import atomic_write

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
MAGIC = b"lsbench-checkpoint-1"
SEAL_BYTES = len(MAGIC) + 8 + 32  # then the content's length and its SHA-256
PREFIX, SUFFIX = "step-", ".pt"
#: What versions without seals wrote, at the end of each epoch.
UNSEALED, UNSEALED_STEP = "last.pt", -1
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs"}


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, url: str | Path, *, keep: int = 2) -> None:
        """Name the place; nothing is created.

        Args:
            url: A folder, or a URL such as ``s3://bucket/prefix``.
            keep: How many of the newest are kept.

        Raises:
            ConfigError: If the URL's protocol is unknown or its driver is not installed.
        """
        self.url, self._keep = str(url), keep
        protocol = self.url.partition("://")[0] if "://" in self.url else "file"
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            extra = f'; pip install "lsbench[{EXTRAS[protocol]}]"' if protocol in EXTRAS else ""
            raise ConfigError(f"checkpoint_url {self.url}: {_one_line(error)}{extra}") from error
        except ValueError as error:
            raise ConfigError(f"checkpoint_url {self.url}: {_one_line(error)}") from error
        self._is_local = protocol in ("file", "local")

    def name_of(self, step: int) -> str:
        """Return the address of the checkpoint of a step, as people see it."""
        return f"{self.url.rstrip('/')}/{_file_name(step)}"

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of a step: whole or not at all. Then remove the oldest beyond those kept.

        Raises:
            DiskFullError: If there is no room; the checkpoints before it stay.
            StoreError: If the place cannot be written.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        buffer.write(_seal(buffer.getvalue()))
        self._write(step, buffer.getvalue())
        for old in self.steps()[: -self._keep]:
            self._files.rm_file(self._path(old))

    def _write(self, step: int, content: bytes) -> None:
        path = self._path(step)
        try:
            if self._is_local:
                with atomic_write(Path(path)) as file:
                    file.write(content)
            else:
                self._files.pipe_file(path, content)
        except OSError as error:
            raise self._cannot_write(step, error, len(content)) from error

    def _cannot_write(self, step: int, error: OSError, size: int) -> StoreError:
        name, reason = self.name_of(step), error.strerror or _one_line(error)
        if error.errno not in FULL:
            return StoreError(f"{name}: the checkpoint cannot be written ({reason}); see `checkpoint_url`")
        free = f", {shutil.disk_usage(self._root).free / 2**20:.0f} MiB free" if self._is_local else ""
        return DiskFullError(
            f"{name}: no room for a checkpoint of {size / 2**20:.1f} MiB ({reason}{free}); "
            "the one before it is kept: make room and run again"
        )

    def steps(self) -> list[int]:
        """Return the steps that have a file, oldest first; whether it is whole is not looked at."""
        try:
            names = [Path(path).name for path in self._files.ls(self._root, detail=False, refresh=True)]
        except FileNotFoundError:
            return []
        return sorted(step for name in names if (step := _step_of(name)) is not None)

    def newest_step(self) -> int | None:
        """Return the newest step whose checkpoint is whole, or None if there is none.

        Damaged ones are passed over with a warning.
        """
        for step in reversed(self.steps()):
            if self._content(step) is not None:
                return step
            log.warning("%s: damaged checkpoint passed over", self.name_of(step))
        return None

    def load(self, step: int, *, device: str = "cpu") -> dict[str, Any]:
        """Return the checkpoint of a step. Only tensors and plain values are loaded (``weights_only``).

        Raises:
            StoreError: If it is damaged or gone.
        """
        content = self._content(step)
        state = None if content is None else _unpickled(content, device)
        if state is None:
            raise StoreError(f"{self.name_of(step)}: the checkpoint cannot be read; remove it and run again")
        return state

    def load_newest(self, *, device: str = "cpu") -> dict[str, Any] | None:
        """Return the newest whole checkpoint, or None if there is none."""
        step = self.newest_step()
        return None if step is None else self.load(step, device=device)

    def _content(self, step: int) -> bytes | None:
        """Return what the seal of a step's file closes in, or None if it does not hold."""
        try:
            whole: bytes = self._files.cat_file(self._path(step))
        except FileNotFoundError:
            return None
        if step == UNSEALED_STEP:
            return whole if _unpickled(whole, "cpu") is not None else None
        content, seal = whole[:-SEAL_BYTES], whole[-SEAL_BYTES:]
        return content if seal == _seal(content) else None

    def _path(self, step: int) -> str:
        return f"{self._root.rstrip('/')}/{_file_name(step)}"


def checkpoints_of(folder: Path, url: str | None = None) -> Checkpoints:
    """Return where a job's training keeps its checkpoints.

    Args:
        folder: The job's folder; its name is the job's id.
        url: A place for the checkpoints of many jobs; default: the job's own folder.
    """
    place = folder / FOLDER if url is None else f"{url.rstrip('/')}/{folder.name}"
    return Checkpoints(place)


def _file_name(step: int) -> str:
    return UNSEALED if step == UNSEALED_STEP else f"{PREFIX}{step:09d}{SUFFIX}"


def _step_of(name: str) -> int | None:
    if name == UNSEALED:
        return UNSEALED_STEP
    number = name.removeprefix(PREFIX).removesuffix(SUFFIX)
    return int(number) if number.isdigit() and name == _file_name(int(number)) else None


def _seal(content: bytes) -> bytes:
    return MAGIC + len(content).to_bytes(8, "big") + hashlib.sha256(content).digest()


def _unpickled(content: bytes, device: str) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return state


def _one_line(error: BaseException) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
