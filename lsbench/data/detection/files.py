"""Where a data set with boxes lies: a JSON file of COCO's format and a folder of images for each split."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from lsbench.core.errors import DataError, MissingDataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS, IMAGENET_MEAN, IMAGENET_STD, SPLITS, PreparedData, Rgb
from lsbench.data.memo import remember

SPLIT = "<split>"
#: What those who wait for a fingerprint are told.
WAIT = "reading the annotations and the list of all images, once while the data stays as it is"


@dataclass(frozen=True)
class DetectionFiles(PreparedData):
    """A data set whose images have boxes; a split's place is its JSON file.

    Attributes:
        images: Split name to the folder of its images.
        categories: Name of each class, in ascending order of the categories' ids.
        category_ids: Id of each class in the JSON files.
        mean: Per-channel mean for normalisation, RGB in [0, 1].
        std: Per-channel standard deviation, as `mean`.
    """

    task = "detection"
    images: Mapping[str, Path]
    categories: tuple[str, ...]
    category_ids: tuple[int, ...]
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD

    @property
    def num_classes(self) -> int:
        """Number of classes, without background."""
        return len(self.categories)

    def moved(self, root: Path) -> Self:
        """Return the same data below another root."""
        moved = super().moved(root)
        return replace(moved, images=self._below(root, self.images))

    def _missing(self, name: str) -> str:
        return f"the annotations of '{name}', a JSON file in COCO's format, and its images"


def with_test(data: DetectionFiles) -> DetectionFiles:
    """Return the data with `val` as its test split, if it has no other."""
    if "test" in data.splits or "val" not in data.splits:
        return data
    splits, images = ({**places, "test": places["val"]} for places in (data.splits, data.images))
    return replace(data, splits=splits, images=images)


@dataclass(frozen=True)
class Layout:
    """Places of annotations and images below the root; ``<split>`` stands for the name of a split.

    Attributes:
        annotations: Path of the JSON files.
        images: Path of the folders of images.
        source: How to get the data, for messages.
    """

    annotations: str
    images: str
    source: str = ""

    def places(self, root: Path, split: str) -> tuple[Path, Path]:
        """Return the places of the JSON file and the folder of images of a split, there or not."""
        return root / self.annotations.replace(SPLIT, split), root / self.images.replace(SPLIT, split)

    def find(self, root: Path, names: Sequence[str] = SPLITS) -> tuple[dict[str, Path], dict[str, Path]]:
        """Return the JSON file and the folder of images of each available split.

        Raises:
            DataError: If there is no split, or a JSON file without its folder of images.
        """
        files, folders = {}, {}
        for name in names:
            file, folder = self.places(root, name)
            if not file.is_file():
                continue
            if not folder.is_dir():
                raise DataError(
                    f"expected the images of {file} in the folder {folder}, found none; {self._advice()}"
                )
            files[name], folders[name] = file, folder
        if not files:
            expected = root / self.annotations.replace(SPLIT, f"<{'|'.join(names)}>")
            raise MissingDataError(f"expected annotations in {expected}, found none; {self._advice()}")
        return files, folders

    def _advice(self) -> str:
        return self.source or "correct 'root:', 'annotations:' or 'images:'"


def fingerprint_files(files: Mapping[str, Path], folders: Mapping[str, Path]) -> str:
    """Return 64 hex digits over the JSON files, and over name and size of every image beside them.

    Fast while neither a JSON file nor a folder changes.

    Args:
        files: Split name to its JSON file.
        folders: Split name to its folder of images.
    """
    stats = {split: path.stat() for split, path in files.items()}
    times = {split: _change_times(path) for split, path in folders.items()}
    state = [{split: [stat.st_size, stat.st_mtime_ns] for split, stat in stats.items()}, times]
    newest = max([*(stat.st_mtime_ns for stat in stats.values()), *(max(one) for one in times.values())])
    places = [{split: str(path.resolve()) for split, path in one.items()} for one in (files, folders)]

    def find() -> str:
        digest = hashlib.sha256()
        for split in sorted(files):
            digest.update(f"{split}\0".encode() + _sha256(files[split]))
            for line in _image_lines(folders[split]):
                digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    return str(remember(f"fingerprints/{content_hash(places)}", state, newest, find, wait=WAIT))


def _change_times(folder: Path) -> list[int]:
    """Return when a folder, and each one below it in the order of their paths, last changed, nanoseconds."""
    return [os.stat(place).st_mtime_ns for place in sorted(place for place, _, _ in os.walk(folder))]


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _image_lines(folder: Path) -> Iterator[str]:
    """Yield path and size of each image below a folder, sorted."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            if os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS:
                path = os.path.join(place, name)
                found.append(f"{os.path.relpath(path, folder)}\0{os.stat(path).st_size}\n")
    return iter(sorted(found))
