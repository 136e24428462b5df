"""Your own images: ``<root>/<train|val|test>/<class>/<images>``, tar shards, or parquet files.

Classes are the folder names, sorted, or the names in shards and tables. Without a ``test`` split, ``val`` is
used for testing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SPLITS,
    DatasetSpec,
    ImageFolders,
    ReaderName,
    Rgb,
)
from lsbench.data.readers import load_reader
from lsbench.data.readers._class_list import read_class_list
from lsbench.data.readers._folder_scan import resolve_root


class ImageFolderSpec(DatasetSpec):
    """Your own images.

    Attributes:
        name: ``image_folder``.
        img_size: Side of the crop, pixels.
        root: Folder that holds the splits; relative paths start at the data root if there is one.
        mean: Per-channel mean for normalisation, RGB in [0, 1]; ImageNet's by default.
        std: Per-channel standard deviation, as `mean`.
        reader: Storage of the images: ``folder`` (class folders), ``wds`` (WebDataset tar shards) or ``hfds``
            (parquet files and other layouts that Hugging Face datasets opens from a local folder).
    """

    name: Literal["image_folder"] = "image_folder"
    img_size: int = Field(default=224, ge=8)
    root: Path
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD
    reader: ReaderName = "folder"


class ImageFolderDataset:
    """Images from the user's disk."""

    spec = ImageFolderSpec
    in_memory = False

    def fingerprint(self, spec: ImageFolderSpec, data_root: Path | None) -> str:
        """Return a hash over class, file name and size of all images; fast from the second call on.

        Shards have the same hash as the same images in class folders; tables have their own. A normalisation
        that is not ImageNet's counts too: images look different with it.
        """
        root = resolve_root(spec.root, data_root, "")
        found = load_reader(spec.reader).fingerprint(_present_splits(spec, root), _numbered(spec, root))
        if (spec.mean, spec.std) == (IMAGENET_MEAN, IMAGENET_STD):
            return found
        return content_hash([found, spec.mean, spec.std], length=64)

    def prepare(self, spec: ImageFolderSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders after checking that every split has only the first split's classes."""
        root = resolve_root(spec.root, data_root, "")
        splits = _present_splits(spec, root)
        wnids = _classes(spec, root, splits)
        if "test" not in splits and "val" in splits:
            splits["test"] = splits["val"]
        return ImageFolders(
            root, splits, wnids, spec.mean, spec.std, reader=spec.reader, numbered=_numbered(spec, root)
        )

    def num_classes(self, spec: ImageFolderSpec, data_root: Path | None = None) -> int:
        """Return the number of classes; reads the disk.

        Raises:
            DataError: If the data is missing.
        """
        root = resolve_root(spec.root, data_root, "")
        return len(_classes(spec, root, _present_splits(spec, root)))

    def num_images(self, spec: ImageFolderSpec, split: str) -> int | None:
        """Return ``None``: counting would read the disk during planning."""
        return None


def _present_splits(spec: ImageFolderSpec, root: Path) -> dict[str, Path]:
    reader = load_reader(spec.reader)
    splits = reader.find_splits(root, SPLITS)
    if not splits:
        raise DataError(
            f"expected at least one of the splits {', '.join(SPLITS)} in {root}, found none; "
            f"store them as {reader.layout}, or correct 'root:' or 'reader:'"
        )
    return splits


def _numbered(spec: ImageFolderSpec, root: Path) -> tuple[str, ...] | None:
    """Return the class names by number, if the user lists them in a file; class folders have names."""
    return None if spec.reader == "folder" else read_class_list(root)


def _classes(spec: ImageFolderSpec, root: Path, splits: dict[str, Path]) -> tuple[str, ...]:
    """Return the class names of the first split in the order train, val, test."""
    reader, numbered = load_reader(spec.reader), _numbered(spec, root)
    first, *others = splits
    wnids = reader.class_names(splits[first], numbered)
    if not wnids:
        raise DataError(f"expected images of classes in {splits[first]}, found none; store {reader.layout}")
    known = _by_letters(wnids, splits[first])
    for name in others:
        found = reader.class_names(splits[name], numbered)
        if strange := sorted(set(found) - set(wnids)):
            twins = [wnid for wnid in strange if _letters(wnid) in known]
            also = ", which only looks the same (another form of Unicode)" if twins else ""
            raise DataError(
                f"expected only classes of '{first}' in {splits[name]}, found also "
                f"{', '.join((twins or strange)[:3])}{also}; add them to both or remove them"
            )
    return tuple(wnids)


def _letters(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _by_letters(wnids: Sequence[str], place: Path) -> dict[str, str]:
    """Return the classes by the letters of their names.

    Raises:
        DataError: If two names have the same letters in different forms of Unicode.
    """
    found: dict[str, str] = {}
    for wnid in wnids:
        if (twin := found.setdefault(_letters(wnid), wnid)) != wnid:
            raise DataError(
                f"expected names of classes that differ in {place}, found {twin!a} and {wnid!a}, the same "
                "letters in two forms of Unicode; merge them into one class"
            )
    return found


DATASET = ImageFolderDataset()
