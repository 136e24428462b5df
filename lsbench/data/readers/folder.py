"""Class folders: ``<root>/<split>/<class>/<image file>``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.data.dataset import IMAGE_EXTENSIONS
from lsbench.data.readers import OpenedSplit, StoredImage
from lsbench.data.readers._folder_scan import class_folders, fingerprint_folders


class FolderReader:
    """Images as files."""

    layout = "class folders <root>/<split>/<class>/<images>"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return the folders of the splits."""
        return {name: root / name for name in names if (root / name).is_dir()}

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
    for folder, _, names in os.walk(place, followlinks=True):
        target = class_to_idx.get(os.path.basename(os.path.relpath(folder, place)))
        if target is not None:
            for name in names:
                if os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS:
                    yield os.path.join(folder, name), target


READER = FolderReader()
