"""ADE20K's scene parsing benchmark: 20,210 training and 2,000 validation photos with 150 classes of pixels.

Read from ``<root>/images/{training,validation}/*.jpg`` and
``<root>/annotations/{training,validation}/*.png``, as published. Labels count from 1; pixels with 0 do not
count. The test split is the validation set.

Source:
    Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.ids import content_hash
from lsbench.core.tasks import Task
from lsbench.data.dataset import DatasetSpec
from lsbench.data.readers._folder_scan import resolve_root
from lsbench.data.segmentation.ade import ADE_CLASSES, ADE_FOLDER, ADE_LAYOUT
from lsbench.data.segmentation.folders import LabelMapFolders, fingerprint_pairs, with_test

NUM_IMAGES = {"train": 20_210, "val": 2_000, "test": 2_000}


class Ade20kSpec(DatasetSpec):
    """ADE20K with 150 classes.

    Attributes:
        name: ``ade20k``.
        img_size: The shorter side of the resized images, pixels, and the side of training crops.
        max_size: Bound of the longer side.
        root: Folder that holds ``images`` and ``annotations``; default: ``<data root>/ADEChallengeData2016``.
    """

    name: Literal["ade20k"] = "ade20k"
    img_size: int = Field(default=512, ge=8)
    max_size: int = Field(default=2048, ge=8)
    root: Path | None = None


class Ade20kDataset:
    """ADE20K from the user's disk."""

    spec = Ade20kSpec
    task: Task = "segmentation"
    in_memory = False
    class_names = ADE_CLASSES

    def fingerprint(self, spec: Ade20kSpec, data_root: Path | None) -> str:
        """Return a hash over name and size of all images and label maps; fast from the second call on."""
        files = fingerprint_pairs(*ADE_LAYOUT.find(resolve_root(spec.root, data_root, ADE_FOLDER)))
        return content_hash([files, spec.max_size], length=64)

    def prepare(self, spec: Ade20kSpec, data_root: Path | None) -> LabelMapFolders:
        """Return the folders; labels are checked when they are read."""
        root = resolve_root(spec.root, data_root, ADE_FOLDER)
        images, label_maps = ADE_LAYOUT.find(root)
        return with_test(LabelMapFolders(root, images, label_maps, ADE_CLASSES, reduce_zero_label=True))

    def num_classes(self, spec: Ade20kSpec, data_root: Path | None = None) -> int:
        """Return 150."""
        return len(ADE_CLASSES)

    def num_images(self, spec: Ade20kSpec, split: str) -> int | None:
        """Return the published image count of `split`."""
        return NUM_IMAGES.get(split)


DATASET = Ade20kDataset()
