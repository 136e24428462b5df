"""Class folders: ``<root>/<split>/<class>/<image file>``.

The folder of the validation split may be called ``val``, ``validation`` or ``valid``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.core.errors import DataError
from lsbench.data.readers import SPLIT_WORDS, OpenedSplit, StoredImage
from lsbench.data.readers._folder_scan import class_folders, count_left_out, fingerprint_folders, image_files
from lsbench.data.readers._left_out import LeftOut
from lsbench.data.readers._links import require_reachable


class FolderReader:
    """Images as files."""

    layout = "class folders <root>/<split>/<class>/<images>"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return the folders of the splits.

        Raises:
            DataError: If one is a link that leads nowhere, or a file.
        """
        found = {}
        for name in names:
            for place in (root / word for word in SPLIT_WORDS.get(name, (name,))):
                require_reachable(place)
                if place.is_file():
                    raise DataError(f"expected the folder of a split at {place}, found a file; remove it")
                if name not in found and place.is_dir():
                    found[name] = place
        return found

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the class folders, sorted, including empty ones."""
        return class_folders(place)

    def fingerprint(self, splits: Mapping[str, Path], numbered: Sequence[str] | None) -> str:
        """Return a hash over class, file name and size of all images."""
        return fingerprint_folders(splits)

    def open_split(self, place: Path, wnids: Sequence[str], numbered: Sequence[str] | None) -> OpenedSplit:
        """Return the images of the class folders, which are named after their classes or class numbers."""
        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        for number, wnid in enumerate(numbered or ()):
            if wnid in class_to_idx:
                class_to_idx.setdefault(str(number), class_to_idx[wnid])
        reader = Files(_find_images(place, class_to_idx))
        found = [
            StoredImage(target, os.path.basename(path), "", row)
            for row, (path, target) in enumerate(reader.samples)
        ]
        return OpenedSplit(reader, found)

    def left_out(self, place: Path) -> LeftOut:
        """Return counts of litter, and of files that are no images or lie beside the class folders."""
        return count_left_out(place)

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the path of the image."""
        return str(reader.samples[row][0])


class Files:
    """Image files by number.

    Attributes:
        samples: Path and class index of each.
    """

    def __init__(self, samples: Iterable[tuple[str, int]]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[BinaryIO, int]:
        """Return an image's file, opened, and its class index."""
        path, target = self.samples[row]
        return open(path, "rb"), target


def _find_images(place: Path, class_to_idx: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield path and class index of each image whose folder is named after a class."""
    for name in class_folders(place):
        if name in class_to_idx:
            yield from ((entry.path, class_to_idx[name]) for entry in image_files(place / name))


READER = FolderReader()
