"""Class folders: ``<root>/<split>/<class>/<image file>``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsbench.data.dataset import IMAGE_EXTENSIONS
from lsbench.data.readers import OpenedSplit, StoredImage
from lsbench.data.readers._folder_scan import class_folders, fingerprint_folders


class FolderReader:
    """Images as files, read by timm's ReaderImageFolder."""

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
        from timm.data.readers.reader_image_folder import ReaderImageFolder

        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        for number, wnid in enumerate(numbered or ()):
            if wnid in class_to_idx:
                class_to_idx.setdefault(str(number), class_to_idx[wnid])
        try:
            reader = ReaderImageFolder(  # type: ignore[no-untyped-call]
                str(place), class_map=class_to_idx, input_key=";".join(IMAGE_EXTENSIONS)
            )
        except RuntimeError:  # raised for a folder without images
            return OpenedSplit(None, ())
        found = [
            StoredImage(target, os.path.basename(path), "", row)
            for row, (path, target) in enumerate(reader.samples)
        ]
        return OpenedSplit(reader, found)

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the path of the image."""
        return str(reader.filename(row, absolute=True))


READER = FolderReader()
