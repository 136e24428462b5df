"""COCO-2017: 118,287 training and 5,000 validation photos with boxes and masks of objects of 80 categories.

Read from ``<root>/annotations/instances_{train,val}2017.json`` and ``<root>/{train,val}2017/``, as published.
The test split is the validation set, as usual in the literature. A machine that only evaluates needs the
files of ``val`` alone.

Source:
    Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, arXiv:1405.0312.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.ids import content_hash
from lsbench.core.tasks import Task
from lsbench.data.dataset import DatasetSpec
from lsbench.data.detection.coco import COCO_IDS, COCO_LAYOUT, COCO_NAMES
from lsbench.data.detection.files import DetectionFiles, fingerprint_files, with_test
from lsbench.data.readers._folder_scan import resolve_root

NUM_IMAGES = {"train": 118_287, "val": 5_000, "test": 5_000}


class CocoSpec(DatasetSpec):
    """COCO-2017.

    Attributes:
        name: ``coco``.
        img_size: The shorter side of the resized images, pixels.
        max_size: Bound of their longer side.
        root: Folder that holds ``annotations``, ``train2017`` and ``val2017``; default: ``<data root>/coco``.
    """

    name: Literal["coco"] = "coco"
    img_size: int = Field(default=800, ge=8)
    max_size: int = Field(default=1333, ge=8)
    root: Path | None = None


class CocoDataset:
    """COCO-2017 from the user's disk."""

    spec = CocoSpec
    task: Task = "detection"
    in_memory = False
    class_names = COCO_NAMES

    def fingerprint(self, spec: CocoSpec, data_root: Path | None) -> str:
        """Return a hash over the JSON files and name and size of all images; fast from the second call on."""
        places = COCO_LAYOUT.find(resolve_root(spec.root, data_root, "coco"), ("train", "val"))
        return content_hash([fingerprint_files(*places), spec.max_size], length=64)

    def prepare(self, spec: CocoSpec, data_root: Path | None) -> DetectionFiles:
        """Return the files; that they hold COCO's categories is checked when they are read."""
        root = resolve_root(spec.root, data_root, "coco")
        files, images = COCO_LAYOUT.find(root, ("train", "val"))
        return with_test(DetectionFiles(root, files, images, COCO_NAMES, COCO_IDS))

    def num_classes(self, spec: CocoSpec, data_root: Path | None = None) -> int:
        """Return 80."""
        return len(COCO_IDS)

    def num_images(self, spec: CocoSpec, split: str) -> int | None:
        """Return the published image count of `split`."""
        return NUM_IMAGES.get(split)


DATASET = CocoDataset()
