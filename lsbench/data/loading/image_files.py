"""Image files of one folder, by number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from lsbench.data.loading.image_list import UNREADABLE, UnreadableImageError, to_rgb


@dataclass(frozen=True)
class ImageFiles:
    """Images that are files.

    Attributes:
        folder: Their folder.
        paths: Path of each, relative to `folder`.
    """

    folder: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @contextmanager
    def open(self, index: int) -> Iterator[BinaryIO]:
        """Open the file of an image.

        Raises:
            UnreadableImageError: If the file is missing, or the block finds it unreadable.
        """
        path = self.folder / self.paths[index]
        try:
            with path.open("rb") as file:
                yield file
        except UNREADABLE as error:
            found = str(error).split(" <_io")[0]
            raise UnreadableImageError(
                self.paths[index], f"expected a readable image at {path}, found: {found}; replace the file"
            ) from error

    def decode(self, index: int) -> Image.Image:
        """Return an image as RGB, see :func:`lsbench.data.loading.image_list.to_rgb`.

        Raises:
            UnreadableImageError: If the file is missing or no readable image.
        """
        with self.open(index) as file, Image.open(file) as image:
            return to_rgb(image)


def spread(total: int, limit: int | None) -> list[int]:
    """Return at most `limit` positions of `total`, evenly spaced; None: all.

    >>> spread(10, 4), spread(3, None)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    if limit is None or limit >= total:
        return list(range(total))
    return [place * total // limit for place in range(limit)]
