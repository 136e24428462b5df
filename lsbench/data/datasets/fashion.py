"""Fashion-MNIST, embedded subset: 9,000 training, 1,000 validation, 10,000 test photos of garments.

The images are 28x28 grey; the class folders use ImageNet ids as stand-ins. The test images are the complete
test set of Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747), so test accuracies are comparable with
published ones, while the training set is 15 % of the original.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.cache import materialise
from lsbench.data.dataset import SPLITS, DatasetSpec, ImageFolders
from lsbench.data.garments import pack
from lsbench.data.garments.png_folders import write_split

LAYOUT_VERSION = 1


class FashionSpec(DatasetSpec):
    """Fashion-MNIST; each `*_images` takes a class-balanced part of its split (a multiple of ten).

    Attributes:
        name: ``fashion``.
        img_size: The 28x28 images are resized to this.
        train_images: Number of training images; smaller sets are prefixes of larger ones.
        val_images: Number of validation images.
        test_images: Number of test images.
    """

    name: Literal["fashion"] = "fashion"
    img_size: int = Field(default=32, ge=8)
    train_images: int = Field(default=9000, ge=10, le=9000, multiple_of=10)
    val_images: int = Field(default=1000, ge=10, le=1000, multiple_of=10)
    test_images: int = Field(default=10000, ge=10, le=10000, multiple_of=10)


class FashionDataset:
    """The embedded garments as PNG folders in the cache."""

    spec = FashionSpec
    in_memory = True
    is_generated = True

    def fingerprint(self, spec: FashionSpec, data_root: Path | None) -> str:
        """Return a hash of the embedded photos' checksum and the image counts."""
        cache_root()  # the images will be written there: fail now, not in every job
        counts = {split: self.num_images(spec, split) for split in SPLITS}
        return content_hash(
            {"pack": pack.content_sha256(), "layout": LAYOUT_VERSION, "counts": counts}, length=64
        )

    def prepare(self, spec: FashionSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders, written to the cache on first use (about 3 s for all 20,000)."""

        def write(folder: Path) -> None:
            for split, garments in pack.read_pack().items():
                part = garments.balanced_prefix(self.num_images(spec, split))
                triples = zip(part.images, part.labels.tolist(), part.indices.tolist(), strict=True)
                write_split(folder / split, pack.wnids(), triples)

        root = materialise(spec.name, self.fingerprint(spec, data_root), write)
        splits = {split: root / split for split in SPLITS}
        ordered = tuple(sorted(pack.wnids()))
        return ImageFolders(root, splits, ordered, pack.MEAN, pack.STD, titles=pack.titles())

    def num_classes(self, spec: FashionSpec, data_root: Path | None = None) -> int:
        """Return 10."""
        return 10

    def num_images(self, spec: FashionSpec, split: str) -> int:
        """Return the image count of `split` as the spec sets it."""
        if split not in SPLITS:
            raise DataError(f"expected one of the splits {', '.join(SPLITS)} of {spec.name}, found '{split}'")
        return int(getattr(spec, f"{split}_images"))


DATASET = FashionDataset()
