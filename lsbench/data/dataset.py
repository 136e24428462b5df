"""What a data set is to lsbench: a spec read from YAML, a fingerprint, and image folders on disk.

A data set is one file in ``lsbench/data/datasets/`` that assigns an object with the methods of
:class:`DatasetPlugin` to ``DATASET``. The planning half of lsbench imports these files, so neither
they nor this module import torch, and they import numpy or Pillow only inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.core.spec import StrictModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""File name endings, in lower case, that count as images: the list of torchvision's ImageFolder."""

ReaderName = Literal["folder", "wds", "hfds"]
"""What the images are stored in, in timm's words: class folders, WebDataset tar shards, or what Hugging
Face datasets opens from a local folder. Each is a file in ``lsbench/data/readers/``."""

Rgb = tuple[float, float, float]
IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)


class DatasetSpec(StrictModel):
    """The part of a suite that names a data set; each plug-in adds its own fields.

    Attributes:
        name: The plug-in's file name.
        img_size: Side of the square that the model sees, pixels.
    """

    name: str
    img_size: int = Field(ge=8)


@dataclass(frozen=True)
class ImageFolders:
    """A data set on this machine: ``<split folder>/<wnid>/<image file>``, or the same in other storage.

    Attributes:
        root: The folder that holds the splits.
        splits: Split name to the place that the reader knows it by, the split's folder for class folders;
            a split may share another's place (ImageNet's test is val).
        wnids: Class names, sorted; the class index is the position in this tuple.
        mean: Per-channel mean of the training images, RGB, of values in [0, 1].
        std: Per-channel standard deviation, as `mean`.
        limit: Use at most this many images of each split, evenly spaced over the sorted list, so
            that every class keeps its share; ``None`` uses all.
        reader: What the images are stored in.
        numbered: Class names by the numbers that shards, tables or folders give instead of names; ``None``
            where the storage names its classes.
        subset: Sorted class indices of the only classes that have images, for which a model's answer is also
            looked for among these classes alone; ``None`` where every class has images.
        answers: Gives for the path ``<class>/<file name>`` of an image all class indices that are right; an
            image for which it gives none is left out. ``None`` where each image has the one class that it is
            stored under.
        masks: Gives for a split and the paths of some of its images the pixels of the object in each, shape
            ``(N, H, W)``; ``None`` where nobody knows them.
        problems: Gives one line for each wanted split that cannot be used; only data sets whose splits are
            conditions of corrupted images, of which any may be missing, have it.
    """

    root: Path
    splits: Mapping[str, Path]
    wnids: tuple[str, ...]
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD
    limit: int | None = None
    reader: ReaderName = "folder"
    numbered: tuple[str, ...] | None = None
    subset: tuple[int, ...] | None = None
    answers: Callable[[str], tuple[int, ...]] | None = None
    masks: Callable[[str, Sequence[str]], NDArray[np.bool_]] | None = field(default=None, compare=False)
    problems: Callable[[Iterable[str]], Mapping[str, str]] | None = field(default=None, compare=False)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.wnids)

    def split(self, name: str) -> Path:
        """Return the place of the split `name`: its folder for class folders.

        Raises:
            DataError: If the data set has no such split on this machine.
        """
        if name not in self.splits:
            there = ", ".join(sorted(self.splits)) or "none"
            missing = (
                f"the folder {self.root / name}/<class>/<images>" if self.reader == "folder" else "that split"
            )
            raise DataError(f"expected a '{name}' split in {self.root}, found: {there}; add {missing}")
        return self.splits[name]


@runtime_checkable
class DatasetPlugin(Protocol):
    """What a file in ``lsbench/data/datasets/`` offers as ``DATASET``."""

    @property
    def spec(self) -> type[DatasetSpec]:
        """The spec class that validates this data set's part of a suite."""

    @property
    def in_memory(self) -> bool:
        """Whether the images are small and few enough to be decoded once and kept in memory."""

    def fingerprint(self, spec: Any, data_root: Path | None) -> str:
        """Return 64 hex digits that change when the images on disk would.

        What only changes how images are read, such as the size they are resized to, is part of a
        job's spec and not of the fingerprint.

        Raises:
            DataError: If the data is missing: what was expected, where, and what to do.
        """

    def prepare(self, spec: Any, data_root: Path | None) -> ImageFolders:
        """Return the image folders, after writing them to the cache if the data set is generated.

        Raises:
            DataError: If the data is missing or incomplete.
        """

    def num_classes(self, spec: Any, data_root: Path | None = None) -> int:
        """Return the number of classes.

        Raises:
            DataError: If only the data could tell, and it is missing.
        """

    def num_images(self, spec: Any, split: str) -> int | None:
        """Return the number of images of a split for cost planning; ``None`` if unknown."""
