"""Write a file that a user named: a new one, an old one, a link, a device, or an open descriptor."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from lsbench.core.atomic import atomic_write

MAX_LINKS = 40
#: A file that can be written in a folder that takes no other one, e.g. one that is mounted by itself.
FIXED_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)


def write_to(path: Path, content: bytes) -> None:
    """Write `content` to a file; a reader sees the old content or the new one.

    A link keeps pointing to its target, which gets the content, and an old file keeps its permissions. A
    device, a FIFO or a descriptor (``/dev/stdout``, ``/dev/fd/3``) gets the content itself and stays what it
    is; there it is no error that the reader is gone. Missing folders are created.

    Raises:
        OSError: If it cannot be written; an old file stays as it was.
        DiskFullError: If there is no room.
    """
    descriptor = descriptor_of(path)
    if descriptor is not None:
        _write_straight(descriptor, content, closes=False)
        return
    target = Path(os.path.realpath(path))
    try:
        before = target.stat()
    except FileNotFoundError:
        with atomic_write(target) as file:
            file.write(content)
        return
    if stat.S_ISREG(before.st_mode):
        _replace(target, before, content)
    else:
        _write_straight(target, content)


def check_target(path: Path) -> None:
    """Raise the error now that would come when the file is written, as far as it can be known.

    Raises:
        OSError: If `path` is a folder, lies in no folder, or may not be written.
    """
    if descriptor_of(path) is not None:
        return
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists():
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return
    folder = next(place for place in target.parents if place.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def is_file_to_be(path: Path) -> bool:
    """Return whether `path` is, or will be, a regular file, and not a device, a FIFO or a descriptor."""
    return descriptor_of(path) is None and (os.path.isfile(path) or not os.path.exists(path))


def descriptor_of(path: Path) -> int | None:
    """Return the descriptor of this process that a path stands for, or None.

    Opening such a path again is no substitute: a file would be written from its start, a socket not at all.

    >>> descriptor_of(Path("/dev/stdout")), descriptor_of(Path("/dev/null"))
    (1, None)
    """
    own = {f"/proc/{os.getpid()}/fd", f"/proc/{os.getpid()}/task/{os.getpid()}/fd", "/dev/fd"}
    for _ in range(MAX_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in own and path.name.isdecimal():
            return int(path.name)
        try:
            path = Path(folder) / os.readlink(path)
        except (OSError, ValueError):
            return None
    return None


def _replace(target: Path, before: os.stat_result, content: bytes) -> None:
    """Replace a regular file, or rewrite it if its folder takes no other file."""
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    try:
        with atomic_write(target) as file:
            with suppress(OSError):  # some file systems know no permissions
                if os.geteuid() == 0:
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(content)
    except OSError as error:
        if error.errno not in FIXED_PLACE:
            raise
        _write_straight(target, content)


def _write_straight(target: Path | int, content: bytes, *, closes: bool = True) -> None:
    with suppress(BrokenPipeError), open(target, "wb", closefd=closes) as file:
        file.write(content)
