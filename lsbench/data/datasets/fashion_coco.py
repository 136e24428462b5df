"""Garments in scenes with boxes and masks: one to four of five kinds, laid out as COCO-2017.

Made from the embedded Fashion-MNIST photos alone; training and test scenes use disjoint photos. Boxes and
masks are exact. The test split is the validation set, as in COCO.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lsbench.core.tasks import Task
from lsbench.data.detection.coco import COCO_LAYOUT
from lsbench.data.detection.files import DetectionFiles, with_test
from lsbench.data.garments.annotated import (
    MEAN,
    SOURCES,
    STD,
    AnnotatedScenesSpec,
    count_scenes,
    fingerprint_scenes,
    write_scenes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsbench.data.garments.scenes import Scene


class FashionCocoSpec(AnnotatedScenesSpec):
    """Scenes of garments with boxes and masks."""

    name: Literal["fashion_coco"] = "fashion_coco"


class FashionCocoDataset:
    """The scenes in the cache, as PNGs and JSON files in COCO's format."""

    spec = FashionCocoSpec
    task: Task = "detection"
    in_memory = False
    is_generated = True

    def fingerprint(self, spec: FashionCocoSpec, data_root: Path | None) -> str:
        """Return a hash of the photos' checksum, the generator's version and every setting."""
        return fingerprint_scenes(spec, "coco")

    def prepare(self, spec: FashionCocoSpec, data_root: Path | None) -> DetectionFiles:
        """Return the files, composed into the cache on first use (about 10 s for all 750)."""
        from lsbench.data.garments.many_garments import CATEGORIES, write_coco

        def write(scenes: Iterator[Scene], folder: Path, split: str) -> None:
            write_coco(scenes, *COCO_LAYOUT.places(folder, split))

        root = write_scenes(spec, self.fingerprint(spec, data_root), write)
        files, images = COCO_LAYOUT.find(root, tuple(SOURCES))
        names = tuple(category.name for category in CATEGORIES)
        numbers = tuple(category.number for category in CATEGORIES)
        return with_test(DetectionFiles(root, files, images, names, numbers, MEAN, STD))

    def num_classes(self, spec: FashionCocoSpec, data_root: Path | None = None) -> int:
        """Return 5."""
        return 5

    def num_images(self, spec: FashionCocoSpec, split: str) -> int:
        """Return the number of scenes of `split` as the settings have it."""
        return count_scenes(spec, split)


DATASET = FashionCocoDataset()
