"""Where a data set with label maps lies: for each split one folder of images and one of label maps.

The label map of ``<name>.jpg`` is ``<name>.png`` with one byte a pixel.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from lsbench.core.errors import DataError, MissingDataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS, IMAGENET_MEAN, IMAGENET_STD, SPLITS, PreparedData, Rgb
from lsbench.data.memo import remember

SPLIT = "<split>"
IGNORED = 255
"""The label of pixels that neither losses nor metrics count."""
MOST_CLASSES = 255
"""The largest number of classes of label maps of one byte a pixel, one of which is ignored."""
WAIT = "reading the list of all images and label maps, once while the data stays as it is"


@dataclass(frozen=True)
class LabelMapFolders(PreparedData):
    """A data set with a class for each pixel; a split's place is the folder of its images.

    Attributes:
        label_maps: Split name to the folder of its label maps.
        classes: Name of each class, in their order.
        reduce_zero_label: Whether stored labels count from 1, and 0 stands for pixels to ignore.
        mean: Per-channel mean for normalisation, RGB in [0, 1].
        std: Per-channel standard deviation, as `mean`.
    """

    task = "segmentation"
    label_maps: Mapping[str, Path]
    classes: tuple[str, ...]
    reduce_zero_label: bool
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def moved(self, root: Path) -> Self:
        """Return the same data below another root."""
        moved = super().moved(root)
        return replace(moved, label_maps=self._below(root, self.label_maps))

    def _missing(self, name: str) -> str:
        return f"the images and the label maps of '{name}'"


def with_test(data: LabelMapFolders) -> LabelMapFolders:
    """Return the data with `val` as its test split, if it has no other."""
    if "test" in data.splits or "val" not in data.splits:
        return data
    splits, label_maps = ({**places, "test": places["val"]} for places in (data.splits, data.label_maps))
    return replace(data, splits=splits, label_maps=label_maps)


@dataclass(frozen=True)
class PairLayout:
    """Places of images and label maps below the root; ``<split>`` stands for the word of a split.

    Attributes:
        images: Path of the folders of images.
        label_maps: Path of the folders of label maps.
        words: Split to its word.
        source: How to get the data, for messages.
    """

    images: str
    label_maps: str
    words: Mapping[str, str]
    source: str = ""

    @classmethod
    def named(cls, images: str, label_maps: str) -> PairLayout:
        """Return a layout in which splits go by their own names."""
        return cls(images, label_maps, {split: split for split in SPLITS})

    def places(self, root: Path, split: str) -> tuple[Path, Path]:
        """Return the places of the folders of images and label maps of a split, there or not."""
        word = self.words[split]
        return root / self.images.replace(SPLIT, word), root / self.label_maps.replace(SPLIT, word)

    def find(self, root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
        """Return the folder of images and that of label maps of each available split.

        Raises:
            DataError: If there is no split, or images without label maps.
        """
        images, label_maps = {}, {}
        advice = self.source or "correct 'root:', 'images:' or 'label_maps:'"
        for split in self.words:
            pictures, maps = self.places(root, split)
            if not pictures.is_dir():
                continue
            if not maps.is_dir():
                raise DataError(
                    f"expected the label maps of {pictures} in the folder {maps}, found none; {advice}"
                )
            images[split], label_maps[split] = pictures, maps
        if not images:
            expected = root / self.images.replace(SPLIT, f"<{'|'.join(self.words.values())}>")
            raise MissingDataError(f"expected images in {expected}, found none; {advice}")
        return images, label_maps


def list_pairs(images: Path, label_maps: Path) -> list[tuple[str, str]]:
    """Return the file names of every image and of its label map, sorted.

    Raises:
        DataError: If there is no image, one has no label map, or two share one.
    """
    maps = {name for name in os.listdir(label_maps) if name.endswith(".png")}
    found: dict[str, str] = {}
    for name in sorted(os.listdir(images)):
        stem, ending = os.path.splitext(name)
        if name.startswith(".") or ending.lower() not in IMAGE_EXTENSIONS:
            continue
        label_map = f"{stem}.png"
        if label_map not in maps:
            raise DataError(
                f"expected the label map of {images / name} at {label_maps / label_map}, found none; add "
                "it or remove the image"
            )
        if label_map in found:
            raise DataError(
                f"expected one image for {label_maps / label_map}, found {found[label_map]} and {name} in "
                f"{images}; rename one with its label map"
            )
        found[label_map] = name
    if not found:
        raise DataError(f"expected images in {images}, found none; fill the folder or remove it")
    return [(name, label_map) for label_map, name in sorted(found.items())]


def fingerprint_pairs(images: Mapping[str, Path], label_maps: Mapping[str, Path]) -> str:
    """Return 64 hex digits over name and size of every image and label map; fast while no folder changes.

    Args:
        images: Split name to its folder of images.
        label_maps: Split name to its folder of label maps.
    """
    folders = [*sorted(images.items()), *sorted(label_maps.items())]
    times = [folder.stat().st_mtime_ns for _, folder in folders]
    places = [[split, str(folder.resolve())] for split, folder in folders]

    def find() -> str:
        digest = hashlib.sha256()
        for split in sorted(images):
            for pair in list_pairs(images[split], label_maps[split]):
                for folder, name in zip((images[split], label_maps[split]), pair, strict=True):
                    line = f"{split}/{name}\0{(folder / name).stat().st_size}\n"
                    digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    return str(remember(f"fingerprints/{content_hash(places)}", times, max(times), find, wait=WAIT))
