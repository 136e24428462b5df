"""Files at an address that fsspec opens, such as ``s3://bucket/path``: whole files, by name."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lsbench.core.atomic import sync, with_room
from lsbench.core.errors import ConfigError, LsbenchError, StoreError

#: Protocol -> the extra that installs its driver.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
#: What drivers call the version of a file, if there is one, and the time of its last change.
VERSIONS = ("ETag", "etag", "md5Hash", "generation")
TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


def opened_address(url: str, *, said_as: str) -> tuple[Any, str]:
    """Return fsspec's file system of an address, and the path in it.

    Args:
        url: A folder, or a URL such as ``s3://bucket/prefix``.
        said_as: What a user calls the address: an option or a setting.

    Raises:
        ConfigError: If its protocol is unknown or its driver is not installed.
    """
    import fsspec

    protocol = url.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        extra = f'; pip install "lsbench[{EXTRAS[protocol]}]"' if protocol in EXTRAS else ""
        raise ConfigError(f"{said_as} {url}: {one_line(error)}{extra}") from error
    except ValueError as error:
        raise ConfigError(f"{said_as} {url}: {one_line(error)}; give e.g. s3://bucket/path") from error
    return files, str(root)


def one_line(error: BaseException) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class RemoteFile:
    """One file at an address.

    Attributes:
        size: Its bytes.
        version: Differs from that of any other content under the same name.
        changed_at: When it was written, in seconds since 1970; 0 if its driver does not tell.
    """

    size: int
    version: str
    changed_at: float


class RemoteFiles:
    """The files below one address."""

    def __init__(self, url: str) -> None:
        """Store the address; nothing is asked yet.

        Raises:
            ConfigError: If its protocol is unknown or its driver is not installed.
        """
        self.url = url.rstrip("/")
        self._files, root = opened_address(self.url, said_as="--results")
        self._root = root.rstrip("/")

    def found(self, below: str = "") -> dict[str, RemoteFile]:
        """Return all files below a folder, by name.

        Raises:
            StoreError: If the place cannot be read.
        """
        place = self._path(below) if below else self._root
        with self._explained("cannot be read"):
            self._files.invalidate_cache()
            try:
                listed = self._files.find(place, detail=True)
            except FileNotFoundError:
                listed = {}
            if not listed and self.url.partition("://")[0] in EXTRAS:
                self._files.ls(self._root.partition("/")[0])  # an error if there is no such bucket
        start = len(self._root) + 1
        return {path[start:]: _told(info) for path, info in listed.items() if len(path) >= start}

    def look(self, name: str) -> RemoteFile | None:
        """Return a file as it is now, or None if there is none.

        Raises:
            StoreError: If the place cannot be read.
        """
        with self._explained(f"{name} cannot be read"):
            self._files.invalidate_cache()
            try:
                return _told(self._files.info(self._path(name)))
            except FileNotFoundError:
                return None

    def get(self, name: str, target: Path) -> bool:
        """Bring a file, whole or not at all; return False if it has gone.

        Raises:
            DiskFullError: If there is no room.
            StoreError: If the place cannot be read.
        """
        part = target.with_name(f".{target.name}.part-{secrets.token_hex(4)}")
        with self._explained(f"{name} cannot be read"), with_room(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._files.get_file(self._path(name), str(part))
                with part.open("rb") as file:
                    sync(file.fileno())
                part.replace(target)
            except FileNotFoundError:
                return False
            finally:
                part.unlink(missing_ok=True)
        return True

    def put(self, source: Path, name: str) -> RemoteFile | None:
        """Send a file, and return what has arrived; None if it has gone here meanwhile.

        Raises:
            StoreError: If the place cannot be written.
        """
        with self._explained(f"{name} cannot be written"):
            try:
                self._make_folder(name)
                self._files.put_file(str(source), self._path(name))
            except FileNotFoundError:
                if source.exists():
                    raise
                return None
            return self.look(name)

    def read(self, name: str) -> bytes | None:
        """Return the content of a small file, or None if there is none.

        Raises:
            StoreError: If the place cannot be read.
        """
        with self._explained(f"{name} cannot be read"):
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes, *, is_new: bool = False) -> bool:
        """Write a small file; return False if it was to be new and there is one already.

        Raises:
            StoreError: If the place cannot be written.
        """
        with self._explained(f"{name} cannot be written"):
            self._make_folder(name)
            try:
                self._files.pipe_file(self._path(name), content, mode="create" if is_new else "overwrite")
            except FileExistsError:
                return False
            except Exception as error:
                if is_new and "PreconditionFailed" in f"{type(error).__name__} {error}":
                    return False
                raise
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            StoreError: If it cannot be removed.
        """
        with self._explained(f"{name} cannot be removed"), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_folder(self, name: str) -> None:
        """Make the folder of a file where the driver has real folders."""
        if self.url.partition("://")[0] not in EXTRAS:
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn a driver's exception into one line; each driver has its own exceptions."""
        try:
            yield
        except (LsbenchError, MemoryError):
            raise
        except Exception as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            raise StoreError(
                f"{self.url}: {what} ({reason}); check the address, your credentials and the network"
            ) from error


def _told(info: dict[str, Any]) -> RemoteFile:
    size = int(info.get("size") or 0)
    changed_at = next((_seconds(info[key]) for key in TIMES if info.get(key)), 0.0)
    version = next((info[key] for key in VERSIONS if info.get(key)), changed_at)
    return RemoteFile(size, f"{version}:{size}", changed_at)


def _seconds(time: Any) -> float:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return float(time)
