"""Test sets of other photos or drawings of ImageNet's classes: class folders without a training split.

Each is an instance of :class:`ImageNetTestSet` in its own file in ``lsbench/data/datasets/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lsbench.core.errors import MissingDataError
from lsbench.data.dataset import DatasetSpec, ImageFolders
from lsbench.data.imagenet.ilsvrc import check_classes, class_indices, class_list, ilsvrc_titles, ilsvrc_wnids
from lsbench.data.readers._folder_scan import class_folders, fingerprint_folders, resolve_root


class ImageNetTestSetSpec(DatasetSpec):
    """Settings shared by these data sets.

    Attributes:
        name: The plug-in's file name.
        img_size: Side of the crop, pixels.
        root: Folder that holds the class folders; default: the folder that the published archive unpacks to,
            below the data root.
    """

    img_size: int = Field(default=224, ge=8)
    root: Path | None = None


@dataclass(frozen=True)
class ImageNetTestSet:
    """A test set of class folders under ImageNet's WordNet ids.

    Attributes:
        spec: The class of its settings.
        title: Its name for display.
        folders: Possible names below the data root; messages show the first.
        how_to_get: Where it is published, and the archive's name.
        images: Image count.
        classes: Timm's list of the classes that have images; ``None`` for all 1,000.
    """

    in_memory: ClassVar[bool] = False

    spec: type[ImageNetTestSetSpec]
    title: str
    folders: tuple[str, ...]
    how_to_get: str
    images: int
    classes: str | None = None

    def fingerprint(self, spec: ImageNetTestSetSpec, data_root: Path | None) -> str:
        """Return a hash over class, file name and size of all images; fast from the second call on."""
        return fingerprint_folders({"test": self.find(spec, data_root)})

    def prepare(self, spec: ImageNetTestSetSpec, data_root: Path | None) -> ImageFolders:
        """Return the class folders after checking that they match the published set exactly."""
        place = self.find(spec, data_root)
        wnids = ilsvrc_wnids()
        subset = None if self.classes is None else class_indices(class_list(self.classes))
        return ImageFolders(
            place, {"test": place}, wnids, subset=subset, numbered=wnids, titles=ilsvrc_titles()
        )

    def num_classes(self, spec: ImageNetTestSetSpec, data_root: Path | None = None) -> int:
        """Return 1000: the head covers all of ImageNet's classes, even if only some have images."""
        return 1000

    def num_images(self, spec: ImageNetTestSetSpec, split: str) -> int | None:
        """Return the published image count of the test split."""
        return self.images if split == "test" else None

    def find(self, spec: ImageNetTestSetSpec, data_root: Path | None) -> Path:
        """Return the folder with the class folders.

        Raises:
            DataError: If it is missing, or holds other classes.
        """
        place = first_folder(spec.root, data_root, self.default_folders(spec))
        if not place.is_dir():
            raise MissingDataError(
                f"expected {self.title} in {place}, found no such folder; {self.how_to_get}"
            )
        self.check(place, class_folders(place))
        return place

    def default_folders(self, spec: Any) -> tuple[str, ...]:
        """Return the possible folder names below the data root."""
        return self.folders

    def check(self, place: Path, found: list[str]) -> None:
        """Check the names of the class folders.

        Raises:
            DataError: Names the first that is missing or unexpected.
        """
        expected = ilsvrc_wnids() if self.classes is None else class_list(self.classes)
        check_classes(place, found, expected, what=f"class folders of {self.title}", how=self.how_to_get)


def first_folder(root: Path | None, data_root: Path | None, names: tuple[str, ...]) -> Path:
    """Return the first existing folder among the possible places of a data set, or else the first place.

    Args:
        root: The spec's ``root``, which is used as it is.
        data_root: Folder under which large data sets live.
        names: Folder names below `data_root`.

    Raises:
        DataError: If neither `root` nor `data_root` says where to look.
    """
    places = [resolve_root(root, data_root, name) for name in names]
    return next((place for place in places if place.is_dir()), places[0])
