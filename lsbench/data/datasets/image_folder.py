"""Any folder of class folders: ``<root>/<train|val|test>/<class>/<images>``.

Classes are the folder names, sorted. Where there is no ``test`` folder, ``val`` is the test split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD, SPLITS, DatasetSpec, ImageFolders, Rgb
from lsbench.data.folder_scan import class_folders, fingerprint_folders, resolve_root


class ImageFolderSpec(DatasetSpec):
    """A folder of images of one's own.

    Attributes:
        name: ``image_folder``.
        img_size: Side of the crop, pixels.
        root: Folder that holds the splits; relative paths start at the data root if there is one.
        mean: Per-channel mean for normalisation, RGB in [0, 1]; ImageNet's by default.
        std: Per-channel standard deviation, as `mean`.
    """

    name: Literal["image_folder"] = "image_folder"
    img_size: int = Field(default=224, ge=8)
    root: Path
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD


class ImageFolderDataset:
    """Class folders from the user's disk."""

    spec = ImageFolderSpec
    in_memory = False

    def fingerprint(self, spec: ImageFolderSpec, data_root: Path | None) -> str:
        """Return the hash over class, file name and size of all images; fast from the second call on."""
        return fingerprint_folders(_present_splits(spec, data_root))

    def prepare(self, spec: ImageFolderSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders after checking that every split knows only the first split's classes."""
        splits = _present_splits(spec, data_root)
        wnids = _classes(splits)
        if "test" not in splits and "val" in splits:
            splits["test"] = splits["val"]
        return ImageFolders(resolve_root(spec.root, data_root, ""), splits, wnids, spec.mean, spec.std)

    def num_classes(self, spec: ImageFolderSpec, data_root: Path | None = None) -> int:
        """Return the number of class folders; reads the folder.

        Raises:
            DataError: If the data is missing.
        """
        return len(_classes(_present_splits(spec, data_root)))

    def num_images(self, spec: ImageFolderSpec, split: str) -> int | None:
        """Return ``None``: counting would read the disk while planning."""
        return None


def _present_splits(spec: ImageFolderSpec, data_root: Path | None) -> dict[str, Path]:
    root = resolve_root(spec.root, data_root, "")
    splits = {name: root / name for name in SPLITS if (root / name).is_dir()}
    if not splits:
        raise DataError(
            f"expected at least one of the folders {', '.join(SPLITS)} in {root}, found none; "
            "put the images into <root>/<split>/<class>/ or correct 'root:'"
        )
    return splits


def _classes(splits: dict[str, Path]) -> tuple[str, ...]:
    """Return the class names of the first split in the order train, val, test."""
    first, *others = splits
    wnids = class_folders(splits[first])
    if not wnids:
        raise DataError(f"expected class folders in {splits[first]}, found none; add <class>/<images>")
    for name in others:
        if strange := sorted(set(class_folders(splits[name])) - set(wnids)):
            raise DataError(
                f"expected only classes of '{first}' in {splits[name]}, found also {', '.join(strange[:3])}; "
                "add them to both or remove them"
            )
    return tuple(wnids)


DATASET = ImageFolderDataset()
