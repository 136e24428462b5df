"""Your own images with boxes: a JSON file in COCO's format and a folder of images for each split.

Categories may have any ids; the class of an object is the place of its category among the ascending ids.
Masks are polygons or run lengths, and may be left out. Without a ``test`` split, ``val`` is used for testing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.core.tasks import Task
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD, DatasetSpec, Rgb
from lsbench.data.detection.files import SPLIT, DetectionFiles, Layout, fingerprint_files, with_test
from lsbench.data.memo import remember
from lsbench.data.readers._folder_scan import resolve_root

#: What those who wait for the categories are told.
WAIT = "reading the categories, once while the annotations stay as they are"


class CocoJsonSpec(DatasetSpec):
    """Your own images with boxes.

    Attributes:
        name: ``coco_json``.
        img_size: The shorter side of the resized images, pixels.
        max_size: Bound of their longer side.
        root: Folder of the data set; relative paths start at the data root if there is one.
        annotations: JSON files below the root; ``<split>`` stands for train, val and test.
        images: Folders of images below the root; ``<split>`` as in `annotations`, or one folder for all.
        mean: Per-channel mean for normalisation, RGB in [0, 1]; ImageNet's by default.
        std: Per-channel standard deviation, as `mean`.
    """

    name: Literal["coco_json"] = "coco_json"
    img_size: int = Field(default=800, ge=8)
    max_size: int = Field(default=1333, ge=8)
    root: Path
    annotations: str = "annotations/<split>.json"
    images: str = "<split>"
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD

    @field_validator("annotations")
    @classmethod
    def _names_the_split(cls, value: str) -> str:
        if SPLIT not in value:
            raise ValueError(f"expected {SPLIT} in the path, which stands for train, val and test")
        return value


class CocoJsonDataset:
    """Images with boxes from the user's disk."""

    spec = CocoJsonSpec
    task: Task = "detection"
    in_memory = False

    def fingerprint(self, spec: CocoJsonSpec, data_root: Path | None) -> str:
        """Return a hash over the JSON files and name and size of all images; fast from the second call on."""
        files = fingerprint_files(*_layout(spec).find(resolve_root(spec.root, data_root, "")))
        return content_hash([files, spec.max_size, spec.mean, spec.std], length=64)

    def prepare(self, spec: CocoJsonSpec, data_root: Path | None) -> DetectionFiles:
        """Return the files after checking that every split has the first split's categories."""
        root = resolve_root(spec.root, data_root, "")
        files, images = _layout(spec).find(root)
        first, *others = files
        categories = _categories(files[first])
        for split in others:
            if (found := _categories(files[split])) != categories:
                odd = sorted({*found.items()} ^ {*categories.items()})[0]
                raise DataError(
                    f"expected in {files[split]} the categories of '{first}', found that they differ in "
                    f"{odd[0]} ({odd[1]}); list the same ids and names in both"
                )
        names, numbers = tuple(categories.values()), tuple(categories)
        return with_test(DetectionFiles(root, files, images, names, numbers, spec.mean, spec.std))

    def num_classes(self, spec: CocoJsonSpec, data_root: Path | None = None) -> int:
        """Return the number of categories; reads the disk.

        Raises:
            DataError: If the data is missing.
        """
        files, _ = _layout(spec).find(resolve_root(spec.root, data_root, ""))
        return len(_categories(next(iter(files.values()))))

    def num_images(self, spec: CocoJsonSpec, split: str) -> int | None:
        """Return ``None``: counting would read the disk during planning."""
        return None


def _layout(spec: CocoJsonSpec) -> Layout:
    return Layout(spec.annotations, spec.images)


def _categories(file: Path) -> dict[int, str]:
    """Return the name of each category of a JSON file by id, ascending; fast while the file stays."""
    from lsbench.data.detection.annotations import category_names, read_json

    stat = file.stat()
    found = remember(
        f"categories/{content_hash(str(file.resolve()))}",
        [stat.st_size, stat.st_mtime_ns],
        stat.st_mtime_ns,
        lambda: list(category_names(file, read_json(file)).items()),
        wait=WAIT,
    )
    return {int(key): str(name) for key, name in found}


DATASET = CocoJsonDataset()
