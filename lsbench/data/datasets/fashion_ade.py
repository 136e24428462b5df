"""Garments in scenes with a class for each pixel: background and five kinds, laid out as ADE20K.

The scenes are those of ``fashion_coco``. Labels count from 1, the background; the test split is the
validation set, as in ADE20K.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lsbench.core.tasks import Task
from lsbench.data.garments.annotated import (
    MEAN,
    STD,
    AnnotatedScenesSpec,
    count_scenes,
    fingerprint_scenes,
    write_scenes,
)
from lsbench.data.segmentation.ade import ADE_LAYOUT
from lsbench.data.segmentation.folders import LabelMapFolders, with_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsbench.data.garments.scenes import Scene


class FashionAdeSpec(AnnotatedScenesSpec):
    """Scenes of garments with label maps."""

    name: Literal["fashion_ade"] = "fashion_ade"


class FashionAdeDataset:
    """The scenes in the cache, as PNGs with label maps."""

    spec = FashionAdeSpec
    task: Task = "segmentation"
    in_memory = False
    is_generated = True

    def fingerprint(self, spec: FashionAdeSpec, data_root: Path | None) -> str:
        """Return a hash of the photos' checksum, the generator's version and every setting."""
        return fingerprint_scenes(spec, "ade")

    def prepare(self, spec: FashionAdeSpec, data_root: Path | None) -> LabelMapFolders:
        """Return the folders, composed into the cache on first use (about 10 s for all 750)."""
        from lsbench.data.garments.many_garments import CATEGORIES, write_ade

        def write(scenes: Iterator[Scene], folder: Path, split: str) -> None:
            write_ade(scenes, *ADE_LAYOUT.places(folder, split), word=split)

        root = write_scenes(spec, self.fingerprint(spec, data_root), write)
        images, label_maps = ADE_LAYOUT.find(root)
        classes = ("background", *(category.name for category in CATEGORIES))
        return with_test(LabelMapFolders(root, images, label_maps, classes, True, MEAN, STD))

    def num_classes(self, spec: FashionAdeSpec, data_root: Path | None = None) -> int:
        """Return 6: the background is a class."""
        return 6

    def num_images(self, spec: FashionAdeSpec, split: str) -> int:
        """Return the number of scenes of `split` as the settings have it."""
        return count_scenes(spec, split)


DATASET = FashionAdeDataset()
