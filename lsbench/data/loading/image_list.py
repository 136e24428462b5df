"""List the images of a split with their class indices, and decode one of them, from any storage."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.dataset import ImageFolders, ReaderName
from lsbench.data.readers import StoredImage, load_reader

#: Raised by Pillow on damaged images, and by the system on missing files.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class UnreadableImageError(DataError):
    """An image cannot be decoded.

    Attributes:
        path: The image's path in its :class:`ImageList`.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True)
class ImageList:
    """The images of one split, sorted by class and then by file name.

    Attributes:
        folder: The split's place; a folder for class folders.
        paths: ``<class>/<file name>`` of each image; for class folders the path relative to `folder`.
        targets: Class index of each path: the position of its class in the data set's sorted names.
        kind: Storage of the images.
        reader: Gives the images by number.
        rows: Position of each image in `reader`.
        accepted: All correct classes of each path, padded with -1 to the same length; ``None`` if only the
            target is correct.
    """

    folder: Path
    paths: tuple[str, ...]
    targets: tuple[int, ...]
    kind: ReaderName
    reader: Any
    rows: tuple[int, ...]
    accepted: tuple[tuple[int, ...], ...] | None = None

    @property
    def labels(self) -> Sequence[int | tuple[int, ...]]:
        """Labels that predictions are compared with: the accepted classes of each image, or its target."""
        return self.targets if self.accepted is None else self.accepted

    def __len__(self) -> int:
        return len(self.paths)

    def taken(self, places: Sequence[int]) -> ImageList:
        """Return the images at some places, in their order."""
        accepted = self.accepted
        return replace(
            self,
            paths=tuple(self.paths[place] for place in places),
            targets=tuple(self.targets[place] for place in places),
            rows=tuple(self.rows[place] for place in places),
            accepted=None if accepted is None else tuple(accepted[place] for place in places),
        )

    def decode(self, index: int) -> Image.Image:
        """Return image `index` as RGB, see :func:`to_rgb`.

        Raises:
            UnreadableImageError: If the file is not a readable image, or has more than 8 bits a channel.
        """
        with self.open(index) as file, Image.open(file) as image:
            return to_rgb(image)

    @contextmanager
    def open(self, index: int) -> Iterator[BinaryIO]:
        """Open the stored file of image `index`.

        Raises:
            UnreadableImageError: If the file is missing, or the block finds it unreadable.
        """
        row, path = self.rows[index], self.paths[index]
        try:
            file, _ = self.reader[row]
            with file:
                yield file
        except UNREADABLE as error:
            where = load_reader(self.kind).where(self.folder, path, row, self.reader)
            found = str(error).split(" <_io")[0]  # Pillow shows the object of a file without a name
            raise UnreadableImageError(
                path, f"expected a readable image at {where}, found: {found}; replace the file"
            ) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB with 8 bits a channel, by Pillow's conversion.

    Grey is repeated, a palette is looked up, CMYK becomes ``(255 - C) (255 - K) / 255``. An alpha channel is
    dropped and not composited: a transparent pixel gets its stored colour.

    Raises:
        ValueError: If the values have more than 8 bits, which Pillow would clip at 255.
    """
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"values of more than 8 bits (mode {image.mode}), which RGB would clip; convert them"
        )
    return image.convert("RGB")


def list_images(folders: ImageFolders, split: str) -> ImageList:
    """Return the images of a split, at most ``folders.limit`` of them.

    The class index never depends on the classes that are present: a split that lacks a class keeps the
    indices of the others.

    Raises:
        DataError: If the split does not exist or holds no image.
    """
    place = folders.split(split)
    wnids = sorted(folders.wnids)
    kind = load_reader(folders.reader)
    opened = kind.open_split(place, wnids, folders.numbered)
    if not opened.images:
        where = f"{place}/<class>/" if folders.reader == "folder" else str(place)
        raise DataError(f"expected images in {where}, found none; fill the folder or remove it")
    found = [(f"{wnids[image.target]}/{name}", image) for name, image in _sorted(opened.images)]
    if folders.answers is not None:
        found = [(path, image) for path, image in found if folders.answers(path)]
        if not found:
            raise DataError(f"expected labelled images in {place}, found none with a label; complete it")
    kept = _spread(found, folders.limit)
    paths = tuple(path for path, _ in kept)
    return ImageList(
        place,
        paths,
        tuple(image.target for _, image in kept),
        folders.reader,
        opened.reader,
        tuple(image.row for _, image in kept),
        None if folders.answers is None else _filled_up([folders.answers(path) for path in paths]),
    )


def _filled_up(answers: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the answers, each padded with -1 to the length of the longest."""
    length = max(map(len, answers), default=0)
    return tuple((*right, *(-1,) * (length - len(right))) for right in answers)


def _sorted(images: Sequence[StoredImage]) -> list[tuple[str, StoredImage]]:
    """Return every image with its name, sorted by class and name.

    If two images of a class share a name, all names include the origin, too.
    """
    has_twins = len({(image.target, image.name) for image in images}) < len(images)
    named = [(f"{image.origin}/{image.name}" if has_twins else image.name, image) for image in images]
    return sorted(named, key=lambda pair: (pair[1].target, pair[0]))


def _spread(found: list[tuple[str, StoredImage]], limit: int | None) -> list[tuple[str, StoredImage]]:
    """Return at most `limit` evenly spaced entries, so that every class keeps its share."""
    if limit is None or limit >= len(found):
        return found
    return [found[i * len(found) // limit] for i in range(limit)]
