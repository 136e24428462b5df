"""Pictures of one's own in a folder: their names, and what identifies them. No torch here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS


def list_pictures(folder: Path) -> tuple[str, ...]:
    """Return the names of the images of a folder, sorted; folders below it are not looked into.

    Raises:
        DataError: If there is no such folder, or no image in it.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"expected a folder of images at {folder}: {reason}; name another") from error
    found = tuple(name for name in names if Path(name).suffix.lower() in IMAGE_EXTENSIONS)
    if not found:
        raise DataError(
            f"expected images in {folder}, found none; their names end in {', '.join(IMAGE_EXTENSIONS)}"
        )
    return found


def fingerprint_pictures(folder: Path) -> str:
    """Return 64 hex digits over name and content of every image of a folder.

    Raises:
        DataError: As :func:`list_pictures`, or if one cannot be read.
    """
    digests = []
    for name in list_pictures(folder):
        try:
            with (folder / name).open("rb") as file:
                digests.append([name, hashlib.file_digest(file, "sha256").hexdigest()])
        except OSError as error:
            raise DataError(f"expected a readable image at {folder / name}: {error.strerror}") from error
    return content_hash(digests, length=64)
