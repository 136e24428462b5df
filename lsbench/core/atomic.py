"""Write files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.core.checked_lines import is_sound, to_line
from lsbench.core.errors import DiskFullError
from lsbench.core.json_text import to_json

_UMASK = os.umask(0)
os.umask(_UMASK)  # the umask can only be read by setting it
#: The disk is full, the user's quota is used up, or the file would exceed the size limit.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Answers of shared file systems that cannot sync, most often a folder: nothing is lost.
NO_SYNC = (
    *(errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP),
    *(errno.EPERM, errno.EACCES, errno.EBADF, errno.EISDIR),
)


#: Names of the temporary files of :func:`atomic_write`.
_PART = re.compile(r"\..+\.[a-z0-9_]{8}")


@contextmanager
def atomic_write(path: Path, *, syncs_entry: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes `path` when the block ends without an error.

    The content and the folder entry are synced to the disk. On an error the temporary file is
    removed and `path` stays as it was.

    Args:
        path: The file.
        syncs_entry: Whether the folder entry is; otherwise, a power failure may leave the old file or none.

    Raises:
        DiskFullError: If there is no room.
    """
    with with_room(path):
        make_folder(path.parent)
        name = os.path.join(path.parent, f".{path.name}.{os.urandom(4).hex()}")
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                sync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        if syncs_entry:
            sync_folder(path.parent)


def remove_parts(folder: Path) -> None:
    """Remove what killed processes have left of files that they were writing to a folder.

    Nobody else may write there meanwhile. The folder may be absent.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        parts = [entry.path for entry in entries if _PART.fullmatch(entry.name)]
        for path in parts:
            Path(path).unlink(missing_ok=True)


@contextmanager
def with_room(path: Path) -> Iterator[None]:
    """Turn the system's error for a full disk into one that a user can act on.

    Args:
        path: The file that is written in the block.

    Raises:
        DiskFullError: If there is no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        free = shutil.disk_usage(_existing(path)).free / 2**20
        raise DiskFullError(
            f"{path}: no room to write it ({error.strerror}, {free:.1f} MiB free); make room and run again"
        ) from error


def _existing(path: Path) -> Path:
    """Return the innermost folder around `path` that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends without an error.

    An older folder of that name is replaced. On an error the new one is removed, and `path` stays as it was.
    Only one process at a time may write the same folder: leftovers of a killed one are removed.

    Raises:
        DiskFullError: If there is no room.
    """
    with with_room(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{path.name}.part-*"):
            shutil.rmtree(stale, ignore_errors=True)
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.part-"))
        try:
            yield part
            set_mode(part, 0o777 & ~_UMASK)  # temporary folders are private by default
            if path.exists():
                shutil.rmtree(path)
            part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder and those around it, unless they are there; no crash takes what is synced in it."""
    if os.path.isdir(path):
        return
    try:
        os.mkdir(path)
    except FileNotFoundError:
        make_folder(path.parent)
        make_folder(path)
    except OSError:
        if not os.path.isdir(path):  # another process may have made it meanwhile
            raise
    else:
        sync_folder(path.parent)


def set_mode(file: int | Path, mode: int) -> None:
    """Set the permissions of a file or folder where its file system has them; many shared ones do not."""
    with contextlib.suppress(OSError):
        os.chmod(file, mode)


def sync(descriptor: int) -> None:
    """Sync an open file or folder to the disk where its file system can; many shared ones cannot.

    Raises:
        OSError: If the disk is full or broken.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Sync the entries of `folder` to the disk, as :func:`sync` does."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder that can be written but not listed
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def copy_folder(source: Path, target: Path, *, keep: Callable[[str], bool] = lambda name: True) -> None:
    """Copy the files of a folder and of its subfolders, without permissions and times.

    Args:
        source: The folder.
        target: A new folder, or an existing one to add to.
        keep: Whether a file or subfolder of this name is copied.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if not keep(path.name):
            continue
        if path.is_dir():
            copy_folder(path, target / path.name, keep=keep)
        else:
            shutil.copyfile(path, target / path.name)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically."""
    with atomic_write(path) as file:
        file.write(to_json(value, indent=1) + b"\n")


def write_text(path: Path, text: str, *, syncs_entry: bool = True) -> None:
    """Write `text` as UTF-8, as :func:`atomic_write` does."""
    with atomic_write(path, syncs_entry=syncs_entry) as file:
        file.write(text.encode())


def append_line(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Append mappings as lines with checksums, with one write and one sync, after repairing a torn last line.

    Raises:
        DiskFullError: If there is no room.
    """
    content = b"".join(map(to_line, lines))
    with with_room(path):
        with path.open("ab+") as file:
            is_new = file.seek(0, os.SEEK_END) == 0
            _drop_torn_line(file)
            file.write(content)
            file.flush()
            sync(file.fileno())
        if is_new:
            sync_folder(path.parent)


def _drop_torn_line(file: BinaryIO) -> None:
    """Cut off what a reader drops: a last line that is incomplete or damaged."""
    start, last = file.seek(0, os.SEEK_END), b""
    while start and b"\n" not in last[:-1]:
        size = min(start, 2**16)
        start -= size
        file.seek(start)
        last = file.read(size) + last
    cut = last.rfind(b"\n", 0, max(len(last) - 1, 0)) + 1
    last = last[cut:]
    if last and not (last.endswith(b"\n") and is_sound(last[:-1])):
        file.truncate(start + cut)
