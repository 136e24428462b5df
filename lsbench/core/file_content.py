"""The content of a file of weights that a suite names, as one short text.

Of a file it is the SHA-256 of its bytes. Large files are read once: the answer is cached by path, size,
times and inode. Of an address it is what the server tells without a download (ETag, checksum,
size), through fsspec; if the server cannot be reached, what it told last.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lsbench.core.atomic import write_text
from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError, LsbenchError
from lsbench.core.ids import content_hash

#: What servers tell of a file, by the names that fsspec's file systems use.
TOLD = ("ETag", "etag", "checksum", "md5", "md5Hash", "content_md5", "sha256", "crc32c", "size")
#: A file changed less than this ago may change again within the clock's resolution: do not cache.
SETTLED_NS = 2_000_000_000


def content_of(place: str) -> str:
    """Return the content of a file or address.

    Args:
        place: A path, relative to the working folder, or an address.

    Raises:
        DataError: If the file does not exist, or the address cannot be reached for the first time.
    """
    path = local_path(place)
    return _of_address(place) if path is None else _of_file(place, path)


def local_path(place: str) -> Path | None:
    """Return the path of a file, or None for an address elsewhere.

    >>> str(local_path("file:///a/b.pth")), local_path("https://example.org/b.pth")
    ('/a/b.pth', None)
    """
    if place.startswith("file://"):
        return Path(unquote(urlsplit(place).path))
    return None if "://" in place else Path(place).expanduser()


def changed_at(place: str) -> float:
    """Return when a file was last modified, in seconds since 1970; 0 if that is unknown."""
    path = local_path(place)
    with suppress(OSError):
        return path.stat().st_mtime if path is not None else 0.0
    return 0.0


def _of_file(place: str, path: Path) -> str:
    try:
        found = path.stat()
        state = [str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        known = _known(place)
        if known.get("state") == state:
            return str(known["content"])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"checkpoint '{place}': expected a file, cannot read it ({error.strerror}); correct the path"
        ) from error
    if time.time_ns() - found.st_mtime_ns > SETTLED_NS:
        _keep(place, {"state": state, "content": digest})
    return digest


def _of_address(place: str) -> str:
    try:
        told = _ask(place)
    except Exception as error:  # each file system of fsspec has its own errors
        known = _known(place)
        if "content" in known:
            return str(known["content"])
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"checkpoint '{place}': cannot be reached ({reason})") from error
    content = content_hash(told, length=64)
    if _known(place).get("content") != content:
        _keep(place, {"state": told, "content": content})
    return content


def _ask(place: str) -> dict[str, str]:
    import fsspec

    system, path = fsspec.core.url_to_fs(place)
    info: dict[str, Any] = system.info(path)
    return {name: str(info[name]) for name in TOLD if info.get(name) is not None}


def _known(place: str) -> dict[str, Any]:
    try:
        found = json.loads(_file(place).read_text(encoding="utf-8"))
    except (OSError, ValueError, LsbenchError):
        return {}
    return found if isinstance(found, dict) and "content" in found else {}


def _keep(place: str, answer: dict[str, Any]) -> None:
    with suppress(OSError, LsbenchError):
        write_text(_file(place), json.dumps(answer))


def _file(place: str) -> Path:
    path = local_path(place)
    name = place if path is None else os.path.abspath(path)
    return cache_root() / "contents" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
