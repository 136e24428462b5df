"""Images that cannot be decoded: replaced by their neighbours, logged once, and counted against a budget."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.loading.image_list import ImageList, UnreadableImageError

log = logging.getLogger(__name__)

Failure = tuple[str, str]
"""Path of an unreadable image and a message with its place and the error."""


def decode_readable(
    images: ImageList, index: int, *, max_unreadable: int
) -> tuple[Image.Image | None, int, list[Failure]]:
    """Return image `index` or the next readable one in listing order, its index, and the failures.

    Returns ``None`` as the image once there are more unreadable images than allowed: the loader then raises.
    """
    failures: list[Failure] = []
    for step in range(min(len(images), max_unreadable + 1)):
        found = (index + step) % len(images)
        try:
            return images.decode(found), found, failures
        except UnreadableImageError as error:
            failures.append((error.path, str(error)))
    return None, index, failures


class UnreadableBudget:
    """The unreadable images met so far, in any process, and the number allowed."""

    def __init__(self, max_unreadable: int) -> None:
        self.max_unreadable = max_unreadable
        self._paths: set[str] = set()

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the unreadable images met so far, sorted."""
        return tuple(sorted(self._paths))

    def spend(self, failures: Iterable[Failure]) -> None:
        """Count the new failures, and log each.

        Raises:
            DataError: If there are more than allowed; names the last one.
        """
        for path, message in failures:
            if path in self._paths:
                continue
            self._paths.add(path)
            if self.max_unreadable == 0:
                raise DataError(message)
            if len(self._paths) > self.max_unreadable:
                raise DataError(
                    f"expected at most {self.max_unreadable} unreadable images (max_unreadable), found "
                    f"{len(self._paths)}, the last one: {message}"
                )
            log.warning("unreadable image replaced by the next one: %s", message)
