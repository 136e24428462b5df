"""ImageNet-1K (ILSVRC2012): 1,281,167 training and 50,000 validation photos in 1,000 WNID folders.

Read from ``<root>/train/<wnid>/*`` and ``<root>/val/<wnid>/*``, the layout of torchvision, or from tar
shards or parquet files (`reader`). The test split is the validation set, as everywhere in the literature. A
machine that only evaluates may hold ``val`` alone.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.data.dataset import DatasetSpec, ImageFolders, ReaderName
from lsbench.data.folder_scan import resolve_root
from lsbench.data.readers import load_reader

HOW_TO_GET = (
    "register at image-net.org, download ILSVRC2012 (train and val) and unpack it in torchvision's layout "
    "<root>/{train,val}/<wnid>/*.JPEG"
)
NUM_IMAGES = {"train": 1_281_167, "val": 50_000, "test": 50_000}


class ImageNetSpec(DatasetSpec):
    """ImageNet-1K.

    Attributes:
        name: ``imagenet``.
        img_size: Side of the crop, pixels.
        root: Folder that holds ``train`` and ``val``; ``<data root>/imagenet`` if not given.
        reader: What the images are stored in: ``folder`` (class folders), ``wds`` (WebDataset tar shards) or
            ``hfds`` (parquet files and what else Hugging Face datasets opens from a local folder).
    """

    name: Literal["imagenet"] = "imagenet"
    img_size: int = Field(default=224, ge=8)
    root: Path | None = None
    reader: ReaderName = "folder"


class ImageNetDataset:
    """ImageNet-1K from the user's disk."""

    spec = ImageNetSpec
    in_memory = False

    def fingerprint(self, spec: ImageNetSpec, data_root: Path | None) -> str:
        """Return the hash over class, file name and size of all images; fast from the second call on.

        Shards have that of the same class folders; tables have one of their own.
        """
        splits = _present_splits(spec, resolve_root(spec.root, data_root, "imagenet"))
        return load_reader(spec.reader).fingerprint(splits, ilsvrc_wnids())

    def prepare(self, spec: ImageNetSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders after checking that they hold exactly the 1,000 ILSVRC classes."""
        root = resolve_root(spec.root, data_root, "imagenet")
        splits = _present_splits(spec, root)
        if "val" in splits:
            splits["test"] = splits["val"]
        wnids = ilsvrc_wnids()
        return ImageFolders(root, splits, wnids, reader=spec.reader, numbered=wnids)

    def num_classes(self, spec: ImageNetSpec, data_root: Path | None = None) -> int:
        """Return 1000."""
        return 1000

    def num_images(self, spec: ImageNetSpec, split: str) -> int | None:
        """Return the published number of images of `split`."""
        return NUM_IMAGES.get(split)


@cache
def ilsvrc_wnids() -> tuple[str, ...]:
    """Return the 1,000 WordNet ids in class order, from timm's data file and without importing timm.

    Raises:
        DataError: If the installed timm has no such file.
    """
    package = importlib.util.find_spec("timm")
    if package is None or package.origin is None:
        raise DataError("expected the package timm, which lists the ImageNet classes; install timm")
    path = Path(package.origin).parent / "data" / "_info" / "imagenet_synsets.txt"
    if not path.is_file():
        raise DataError(f"expected the list of ImageNet classes at {path}; install timm 1.0.20 or newer")
    return tuple(sorted(path.read_text(encoding="utf-8").split()))


def _present_splits(spec: ImageNetSpec, root: Path) -> dict[str, Path]:
    reader = load_reader(spec.reader)
    splits = reader.find_splits(root, ("train", "val"))
    if not splits:
        how = HOW_TO_GET if spec.reader == "folder" else f"store it as {reader.layout}"
        raise DataError(f"expected ImageNet-1K in {root / 'train'} and {root / 'val'}, found neither; {how}")
    for place in splits.values():
        _check_classes(place, reader.class_names(place, ilsvrc_wnids()), spec.reader)
    return splits


def _check_classes(place: Path, names: list[str], reader: ReaderName) -> None:
    expected, found = set(ilsvrc_wnids()), set(names)
    if expected == found:
        return
    missing, strange = sorted(expected - found), sorted(found - expected)
    details = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unexpected", strange))
        if names
    ]
    what = "class folders" if reader == "folder" else "classes"
    raise DataError(
        f"expected the 1000 ILSVRC {what} in {place}, found {len(found)}: "
        f"{' and '.join(details)}; {_how_to_complete(found, reader)}"
    )


def _how_to_complete(found: set[str], reader: ReaderName) -> str:
    if reader == "folder":
        return HOW_TO_GET if found else "sort the images into class folders first"
    return "write all classes, by WordNet id or by number in the order of the sorted ids"


DATASET = ImageNetDataset()
