"""ImageNet-ReaL: ImageNet's validation images with reassessed labels; several may be correct per image.

Read from the same place as ImageNet-1K itself. 3,163 of the 50,000 images have no label and are left out. An
image counts as correct if the prediction is among its labels.

Source:
    Beyer et al., Are we done with ImageNet?, 2020, arXiv:2006.07159.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.ids import content_hash
from lsbench.data.dataset import DatasetSpec, ImageFolders, ReaderName
from lsbench.data.imagenet.ilsvrc import find_splits, ilsvrc_titles, ilsvrc_wnids
from lsbench.data.imagenet.real_labels import NUM_LABELLED, real_answers, real_labels_sha256
from lsbench.data.readers import load_reader
from lsbench.data.readers._folder_scan import resolve_root


class ImageNetRealSpec(DatasetSpec):
    """ImageNet-ReaL.

    Attributes:
        name: ``imagenet_real``.
        img_size: Side of the crop, pixels.
        root: Folder that holds ImageNet's ``val``; default: ``<data root>/imagenet``.
        reader: Storage of the images, as for ``imagenet``.
    """

    name: Literal["imagenet_real"] = "imagenet_real"
    img_size: int = Field(default=224, ge=8)
    root: Path | None = None
    reader: ReaderName = "folder"


class ImageNetRealDataset:
    """The validation images from the user's disk, with timm's copy of the labels."""

    spec = ImageNetRealSpec
    in_memory = False

    def fingerprint(self, spec: ImageNetRealSpec, data_root: Path | None) -> str:
        """Return a hash over the validation images and the labels; fast from the second call on."""
        splits = find_splits(resolve_root(spec.root, data_root, "imagenet"), spec.reader, ("val",))
        images = load_reader(spec.reader).fingerprint(splits, ilsvrc_wnids())
        return content_hash({"images": images, "labels": real_labels_sha256()}, length=64)

    def prepare(self, spec: ImageNetRealSpec, data_root: Path | None) -> ImageFolders:
        """Return ImageNet's validation folders as the only split, ``test``."""
        root = resolve_root(spec.root, data_root, "imagenet")
        splits = find_splits(root, spec.reader, ("val",))
        wnids = ilsvrc_wnids()
        return ImageFolders(
            root,
            {"test": splits["val"]},
            wnids,
            reader=spec.reader,
            titles=ilsvrc_titles(),
            numbered=wnids,
            answers=real_answers,
        )

    def num_classes(self, spec: ImageNetRealSpec, data_root: Path | None = None) -> int:
        """Return 1000."""
        return 1000

    def num_images(self, spec: ImageNetRealSpec, split: str) -> int | None:
        """Return the number of images with a label."""
        return NUM_LABELLED if split == "test" else None


DATASET = ImageNetRealDataset()
