"""The findings of a check of a data set, whatever its task, and what its images show once decoded."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import BinaryIO, Protocol

from PIL import ExifTags, Image
from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.core.spec import StrictModel
from lsbench.data.loading.image_list import UNREADABLE, UnreadableImageError, to_rgb

SAMPLED = 256
"""Number of images that are decoded and hashed in a sample, over all splits."""
UPRIGHT = 1
"""EXIF's orientation of an image that is stored as it is shown."""
SMALLEST_SIDE = 32
"""Sides below this are reported, pixels: images must be at least this large to be corrupted."""

#: How images that are not RGB are converted.
CONVERSIONS = {
    "1": "are black and white: repeated in three channels",
    "L": "are grey: repeated in three channels",
    "LA": "are grey with alpha: repeated in three channels, the alpha is dropped",
    "P": "have a palette: looked up, transparency is dropped",
    "RGBA": "have an alpha channel: it is dropped, not composited",
    "CMYK": "are CMYK: converted to RGB without a colour profile",
}


class Sizes(StrictModel):
    """Sizes of the checked images as width and height in pixels; the median is per side."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


class Report(StrictModel):
    """The findings on a data set.

    Attributes:
        name: The plug-in's name.
        root: Folder of the data; None if it was not found.
        classes: Number of classes that have images.
        known_classes: Number of classes of models for this data set.
        images: Split to image count.
        looked_at: Number of images decoded.
        sizes: Their sizes.
        modes: Pillow's mode to the number of decoded images that have it.
        sha256: Over path and content of the decoded images: equal on two machines with the same images.
        notes: One line for each fact worth knowing.
        problems: One line for each problem, with what to do.
        without_masks: The problem of those that need masks of objects, if there are none.
    """

    name: str
    root: str | None = None
    classes: int = 0
    known_classes: int = 0
    images: dict[str, int] = Field(default_factory=dict)
    looked_at: int = 0
    sizes: Sizes | None = None
    modes: dict[str, int] = Field(default_factory=dict)
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    without_masks: str | None = None

    @property
    def is_good(self) -> bool:
        """True if the data set can be used."""
        return not self.problems

    def require(self, *, masks: bool = False) -> None:
        """Do nothing for a good data set.

        Args:
            masks: Whether masks of objects are needed.

        Raises:
            DataError: With the first problem.
        """
        if self.problems:
            raise DataError(self.problems[0])
        if masks and self.without_masks is not None:
            raise DataError(self.without_masks)


class Pictures(Protocol):
    """Images that can be opened by number."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Name of each image, as messages show it."""

    def open(self, index: int) -> AbstractContextManager[BinaryIO]:
        """Open the stored file of an image.

        Raises:
            UnreadableImageError: If the file is missing, or the block finds it unreadable.
        """


def evenly(total: int, count: int) -> list[int]:
    """Return `count` positions, evenly spaced over `total`, or all."""
    return [row * total // count for row in range(count)] if count < total else list(range(total))


def _is_turned(image: Image.Image) -> bool:
    """Return whether EXIF asks to turn or mirror an image before it is shown."""
    try:
        return bool(image.getexif().get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT)
    except UNREADABLE:  # damaged EXIF data in an image that can be read
        return False


class SeenImages:
    """Statistics of the checked images."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.modes: Counter[str] = Counter()
        self.digest = hashlib.sha256()
        self._sides: list[tuple[int, int]] = []
        self._first: dict[str, str] = {}
        self._small: list[str] = []
        self._turned: list[str] = []
        self._unreadable: list[str] = []

    def add(self, images: Pictures, rows: Sequence[int]) -> None:
        """Decode images and add their content to the hash."""
        for row in rows:
            self.looked_at += 1
            try:
                self._look_at(images, row)
            except UnreadableImageError as error:
                self._unreadable.append(str(error))

    def _look_at(self, images: Pictures, row: int) -> None:
        path = images.paths[row]
        with images.open(row) as file:
            content = file.read()
            self.digest.update(f"{path}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
            with Image.open(io.BytesIO(content)) as image:
                mode, size = image.mode, image.size
                if _is_turned(image):
                    self._turned.append(path)
                to_rgb(image)
        self.modes[mode] += 1
        self._first.setdefault(mode, path)
        self._sides.append(size)
        if min(size) < SMALLEST_SIDE:
            self._small.append(f"{path}, {size[0]}x{size[1]}")

    def sizes(self) -> Sizes | None:
        """Return the sizes, or None if no image could be read."""
        if not self._sides:
            return None
        by_area = sorted(self._sides, key=lambda size: (size[0] * size[1], size))
        middle = (int(median(w for w, _ in by_area)), int(median(h for _, h in by_area)))
        return Sizes(smallest=by_area[0], median=middle, largest=by_area[-1])

    def notes(self) -> Iterator[str]:
        """Yield a line for each kind of image that is converted when read, and one for small images."""
        for mode, count in sorted(self.modes.items()):
            if mode != "RGB":
                how = CONVERSIONS.get(mode, f"have mode {mode}: converted to RGB")
                yield f"{count} of {self.looked_at} images {how} (first: {self._first[mode]})"
        if self._turned:
            yield (
                f"{len(self._turned)} of {self.looked_at} images have an EXIF orientation (first: "
                f"{self._turned[0]}): it is not applied, as in torchvision, so they lie as they are stored"
            )
        if self._small:
            yield (
                f"{len(self._small)} of {self.looked_at} images are below {SMALLEST_SIDE} px (first: "
                f"{self._small[0]}): corruptions need {SMALLEST_SIDE} px after resizing"
            )

    def problems(self) -> Iterator[str]:
        """Yield one line if images could not be read."""
        if self._unreadable:
            others = len(self._unreadable) - 1
            more = f" (and {others} more of the {self.looked_at} checked)" if others else ""
            yield f"{self._unreadable[0]}{more}"
