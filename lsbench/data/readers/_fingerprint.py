"""The hash that represents the images of a data set in a job's id, in any storage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

FINGERPRINT_VERSION = 1
#: What those who wait for a fingerprint are told.
SCAN = "reading the list of all images, once while the data stays as it is"


def image_line(split: str, wnid: str, name: str, size: int) -> str:
    """Return the line of one image: its split, class, file name and size in bytes."""
    return f"{split}/{wnid}/{name}\0{size}\n"


def fingerprint_lines(lines: Iterable[str]) -> str:
    """Return 64 hex digits over the lines, in their order.

    >>> fingerprint_lines(["a"]) == fingerprint_lines(["b"])
    False
    """
    digest = hashlib.sha256(f"v{FINGERPRINT_VERSION}".encode())
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
