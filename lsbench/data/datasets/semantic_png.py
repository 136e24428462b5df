"""Your own images with label maps: ``images/<split>/*`` and ``annotations/<split>/<same name>.png``.

Label maps are PNGs of one byte a pixel, with the number of its class, or 255 where a pixel does not count.
Without a ``test`` split, ``val`` is used for testing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from lsbench.core.ids import content_hash
from lsbench.core.tasks import Task
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD, DatasetSpec, Rgb
from lsbench.data.readers._folder_scan import resolve_root
from lsbench.data.segmentation.folders import (
    MOST_CLASSES,
    SPLIT,
    LabelMapFolders,
    PairLayout,
    fingerprint_pairs,
    with_test,
)


class SemanticPngSpec(DatasetSpec):
    """Your own images with label maps.

    Attributes:
        name: ``semantic_png``.
        img_size: The shorter side of the resized images, pixels, and the side of training crops.
        max_size: Bound of the longer side.
        root: Folder of the data set; relative paths start at the data root if there is one.
        classes: Names of the classes, in the order of their numbers.
        images: Folders of images below the root; ``<split>`` stands for train, val and test.
        label_maps: Folders of label maps below the root, likewise.
        reduce_zero_label: Whether classes count from 1 in the files, and 0 stands for pixels that do not
            count, as in ADE20K.
        mean: Per-channel mean for normalisation, RGB in [0, 1]; ImageNet's by default.
        std: Per-channel standard deviation, as `mean`.
    """

    name: Literal["semantic_png"] = "semantic_png"
    img_size: int = Field(default=512, ge=8)
    max_size: int = Field(default=2048, ge=8)
    root: Path
    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_CLASSES)]
    images: str = "images/<split>"
    label_maps: str = "annotations/<split>"
    reduce_zero_label: bool = False
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD

    @field_validator("images", "label_maps")
    @classmethod
    def _names_the_split(cls, value: str) -> str:
        if SPLIT not in value:
            raise ValueError(f"expected {SPLIT} in the path, which stands for train, val and test")
        return value

    @field_validator("classes")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("expected names that differ")
        return value


class SemanticPngDataset:
    """Images with label maps from the user's disk."""

    spec = SemanticPngSpec
    task: Task = "segmentation"
    in_memory = False

    def fingerprint(self, spec: SemanticPngSpec, data_root: Path | None) -> str:
        """Return a hash over name and size of all images and label maps; fast from the second call on."""
        files = fingerprint_pairs(*_layout(spec).find(resolve_root(spec.root, data_root, "")))
        read = spec.model_dump(
            mode="json", include={"max_size", "classes", "reduce_zero_label", "mean", "std"}
        )
        return content_hash([files, read], length=64)

    def prepare(self, spec: SemanticPngSpec, data_root: Path | None) -> LabelMapFolders:
        """Return the folders; labels are checked when they are read."""
        root = resolve_root(spec.root, data_root, "")
        images, label_maps = _layout(spec).find(root)
        return with_test(
            LabelMapFolders(
                root, images, label_maps, spec.classes, spec.reduce_zero_label, spec.mean, spec.std
            )
        )

    def num_classes(self, spec: SemanticPngSpec, data_root: Path | None = None) -> int:
        """Return the number of classes."""
        return len(spec.classes)

    def num_images(self, spec: SemanticPngSpec, split: str) -> int | None:
        """Return ``None``: counting would read the disk during planning."""
        return None


def _layout(spec: SemanticPngSpec) -> PairLayout:
    return PairLayout.named(spec.images, spec.label_maps)


DATASET = SemanticPngDataset()
