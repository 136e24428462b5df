"""ImageNet-1K (ILSVRC2012): 1,281,167 training and 50,000 validation photos in 1,000 WNID folders.

Read from ``<root>/train/<wnid>/*`` and ``<root>/val/<wnid>/*``, the layout of torchvision, or from tar shards
or parquet files (`reader`). The test split is the validation set, as usual in the literature. A machine that
only evaluates needs ``val`` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.data.dataset import DatasetSpec, ImageFolders, ReaderName
from lsbench.data.imagenet.c_conditions import C_SIZE
from lsbench.data.imagenet.ilsvrc import find_splits, ilsvrc_titles, ilsvrc_wnids
from lsbench.data.readers import load_reader
from lsbench.data.readers._folder_scan import resolve_root

NUM_IMAGES = {"train": 1_281_167, "val": 50_000, "test": 50_000}


class ImageNetSpec(DatasetSpec):
    """ImageNet-1K.

    Attributes:
        name: ``imagenet``.
        img_size: Side of the crop, pixels.
        root: Folder that holds ``train`` and ``val``; default: ``<data root>/imagenet``.
        reader: Storage of the images: ``folder`` (class folders), ``wds`` (WebDataset tar shards) or ``hfds``
            (parquet files and other layouts that Hugging Face datasets opens from a local folder).
    """

    name: Literal["imagenet"] = "imagenet"
    img_size: int = Field(default=224, ge=8)
    root: Path | None = None
    reader: ReaderName = "folder"


class ImageNetDataset:
    """ImageNet-1K from the user's disk."""

    spec = ImageNetSpec
    in_memory = False
    corrupted_size = C_SIZE

    def fingerprint(self, spec: ImageNetSpec, data_root: Path | None) -> str:
        """Return a hash over class, file name and size of all images; fast from the second call on.

        Shards have the same hash as the same images in class folders; tables have their own.
        """
        splits = find_splits(resolve_root(spec.root, data_root, "imagenet"), spec.reader, ("train", "val"))
        return load_reader(spec.reader).fingerprint(splits, ilsvrc_wnids())

    def prepare(self, spec: ImageNetSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders after checking that they hold exactly the 1,000 ILSVRC classes."""
        root = resolve_root(spec.root, data_root, "imagenet")
        splits = find_splits(root, spec.reader, ("train", "val"))
        if "val" in splits:
            splits["test"] = splits["val"]
        wnids = ilsvrc_wnids()
        return ImageFolders(root, splits, wnids, reader=spec.reader, numbered=wnids, titles=ilsvrc_titles())

    def num_classes(self, spec: ImageNetSpec, data_root: Path | None = None) -> int:
        """Return 1000."""
        return 1000

    def num_images(self, spec: ImageNetSpec, split: str) -> int | None:
        """Return the published image count of `split`."""
        return NUM_IMAGES.get(split)


DATASET = ImageNetDataset()
