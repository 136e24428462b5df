"""Bytes that take seconds to make, kept in the cache by what they are made from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lsbench.core.atomic import atomic_write
from lsbench.core.cache_root import cache_root
from lsbench.core.errors import LsbenchError

#: Of a kind; what was not asked for longest goes first.
MOST_BYTES = 2 * 2**30
#: Larger ones are not kept: a few of them would push all others out.
LARGEST = MOST_BYTES // 8


def kept_bytes(kind: str, key: str, make: Callable[[], bytes]) -> tuple[bytes, float]:
    """Return what `make` returns, and the seconds that this took: now, or when it was kept.

    Where the cache cannot be read or written, the bytes are made.

    Args:
        kind: Folder below the cache.
        key: A digest of all that the bytes depend on; it names the file.
        make: Makes them.
    """
    try:
        path = cache_root() / kind / key
    except LsbenchError:
        path = None
    if path is not None and (found := _read(path)) is not None:
        return found
    started = time.perf_counter()
    content = make()
    seconds = time.perf_counter() - started
    if path is not None and len(content) <= LARGEST:
        with suppress(OSError, LsbenchError):
            _write(path, content, seconds)
    return content, seconds


def _read(path: Path) -> tuple[bytes, float] | None:
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        known = json.loads(head)
        is_whole = known["sha256"] == hashlib.sha256(content).hexdigest()
        seconds = float(known["seconds"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    with suppress(OSError):  # a cache may be there to be read only
        os.utime(path)
    return (content, seconds) if is_whole else None


def _write(path: Path, content: bytes, seconds: float) -> None:
    known = {"sha256": hashlib.sha256(content).hexdigest(), "seconds": seconds}
    with atomic_write(path, syncs_entry=False) as file:
        file.write(json.dumps(known).encode() + b"\n")
        file.write(content)
    left = MOST_BYTES
    entries = [(each.stat(), each) for each in path.parent.iterdir()]
    for status, each in sorted(entries, key=lambda entry: -entry[0].st_mtime_ns):
        left -= status.st_size
        if left < 0:
            each.unlink(missing_ok=True)
