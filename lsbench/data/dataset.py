"""The contract of a data set: a spec read from YAML, a fingerprint, and files on disk.

A data set is one file in ``lsbench/data/datasets/`` that assigns an object with the methods of
:class:`DatasetPlugin` to ``DATASET``. The planning half of lsbench imports these files, so neither
they nor this module import torch, and they import numpy or Pillow only inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from pydantic import Field

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.spec import StrictModel
from lsbench.core.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""File name endings, in lower case, that count as images: the list of torchvision's ImageFolder."""

ReaderName = Literal["folder", "wds", "hfds"]
"""Storage of the images, in timm's words: class folders, WebDataset tar shards, or a local folder that
Hugging Face datasets can open. Each is a file in ``lsbench/data/readers/``."""

Rgb = tuple[float, float, float]
IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)


class DatasetSpec(StrictModel):
    """The part of a suite that names a data set; each plug-in adds its own fields.

    Attributes:
        name: The plug-in's file name.
        img_size: Side of the square that the model sees, pixels; of images that keep their proportions, the
            shorter side.
    """

    name: str
    img_size: int = Field(ge=8)


@dataclass(frozen=True)
class PreparedData:
    """A data set on this machine, for any task.

    Attributes:
        task: The task that it serves.
        root: The folder that holds it.
        splits: Split name to its place: a folder or a file, as the task and the storage need it. Several
            splits may share a place (ImageNet's test is val).
        limit: Use at most this many images of each split, evenly spaced over the sorted list; ``None`` uses
            all.
    """

    task: ClassVar[Task]
    root: Path
    splits: Mapping[str, Path]
    limit: int | None = field(default=None, kw_only=True)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    def at_most(self, images: int | None) -> Self:
        """Return this data with at most this many images of each split, evenly spaced; None: as it is.

        >>> ImageFolders(Path("x"), {}, (), limit=5).at_most(9).limit
        5
        """
        limits = [limit for limit in (self.limit, images) if limit is not None]
        return replace(self, limit=min(limits, default=None))

    def moved(self, root: Path) -> Self:
        """Return the same data below another root."""
        return replace(self, root=root, splits=self._below(root, self.splits))

    def split(self, name: str) -> Path:
        """Return the place of the split `name`.

        Raises:
            DataError: If the data set has no such split on this machine.
        """
        if name not in self.splits:
            there = ", ".join(sorted(self.splits)) or "none"
            raise DataError(
                f"expected a '{name}' split in {self.root}, found: {there}; add {self._missing(name)}"
            )
        return self.splits[name]

    def _missing(self, name: str) -> str:
        """Return what to add for a split that is missing."""
        return "that split"

    def _below(self, root: Path, places: Mapping[str, Path]) -> dict[str, Path]:
        return {name: root / place.relative_to(self.root) for name, place in places.items()}


@dataclass(frozen=True)
class ImageFolders(PreparedData):
    """A data set on this machine: ``<split folder>/<wnid>/<image file>``, or the same in other storage.

    Attributes:
        root: The folder that holds the splits.
        splits: Split name to its place for the reader, which for class folders is the split's folder.
        wnids: Class names, sorted; the class index is the position in this tuple.
        mean: Per-channel mean of the training images, RGB, of values in [0, 1].
        std: Per-channel standard deviation, as `mean`.
        limit: As for any data; every class keeps its share.
        reader: Storage of the images.
        numbered: Class names by number, for shards, tables or folders that number their classes; ``None`` if
            the storage names its classes.
        subset: Sorted indices of the classes that have images, if only some have; predictions are then also
            restricted to these classes. ``None`` if every class has images.
        answers: Returns for the path ``<class>/<file name>`` of an image all class indices that are correct;
            an image without any is left out. ``None`` if the only correct class of an image is the one that
            it is stored under.
        masks: Returns for a split and the paths of some of its images the object's pixels in each, shape
            ``(N, H, W)``; ``None`` if they are unknown.
        problems: Returns one line for each requested split that cannot be used; only for data sets whose
            splits are conditions of corrupted images, any of which may be missing.
        titles: Names of the classes for readers, in the order of `wnids`; ``None`` if those are names.
    """

    task = "classification"
    wnids: tuple[str, ...]
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD
    reader: ReaderName = "folder"
    numbered: tuple[str, ...] | None = None
    subset: tuple[int, ...] | None = None
    answers: Callable[[str], tuple[int, ...]] | None = None
    masks: Callable[[str, Sequence[str]], NDArray[np.bool_]] | None = field(default=None, compare=False)
    problems: Callable[[Iterable[str]], Mapping[str, str]] | None = field(default=None, compare=False)
    titles: tuple[str, ...] | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.wnids)

    def _missing(self, name: str) -> str:
        if self.reader == "folder":
            return f"the folder {self.root / name}/<class>/<images>"
        return "that split"


def image_folders(prepared: PreparedData, name: str) -> ImageFolders:
    """Return prepared data that knows classes of whole images.

    Args:
        prepared: The data.
        name: Name of the data set, for the message.

    Raises:
        ConfigError: If it serves another task.
    """
    if isinstance(prepared, ImageFolders):
        return prepared
    raise ConfigError(
        f"expected a data set for classification, found '{name}', which is for {prepared.task}; name another"
    )


def corrupted_size(plugin: DatasetPlugin) -> int | None:
    """Return the side in pixels of the square that every model sees of corrupted images, whatever its own.

    A data set with a benchmark of corruptions, or of its files, sets ``corrupted_size``; None elsewhere.
    """
    size: int | None = getattr(plugin, "corrupted_size", None)
    return size


@runtime_checkable
class DatasetPlugin(Protocol):
    """The contract of ``DATASET`` in a file of ``lsbench/data/datasets/``.

    Three attributes may be left out: ``task`` (the task that it serves; else classification),
    ``is_generated`` (True if lsbench makes the images, in its cache), and ``class_names`` (the names of the
    classes, if they are known without the data).
    """

    @property
    def spec(self) -> type[DatasetSpec]:
        """The spec class that validates this data set's part of a suite."""

    @property
    def in_memory(self) -> bool:
        """True if the images are small and few enough to be decoded once and kept in memory."""

    def fingerprint(self, spec: Any, data_root: Path | None) -> str:
        """Return 64 hex digits that change if the images on disk change.

        Settings that only change how images are read, such as the size they are resized to, belong to the
        job's spec and not to the fingerprint.

        Raises:
            DataError: If the data is missing; says what was expected, where, and what to do.
        """

    def prepare(self, spec: Any, data_root: Path | None) -> PreparedData:
        """Return the data, after writing it to the cache if the data set is generated.

        Raises:
            DataError: If the data is missing or incomplete.
        """

    def num_classes(self, spec: Any, data_root: Path | None = None) -> int:
        """Return the number of classes.

        Raises:
            DataError: If the number is only known from the data, and it is missing.
        """

    def num_images(self, spec: Any, split: str) -> int | None:
        """Return the image count of a split for cost planning; ``None`` if unknown."""
