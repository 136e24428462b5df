"""Test sets made of the embedded garments: class folders without a training set, like ImageNet-A.

Models are trained on the photos of ``fashion`` and tested on these, so classes, their order and the
normalisation are those of ``fashion``, and a test set with fewer classes lists them
(``ImageFolders.subset``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.cache import materialise
from lsbench.data.dataset import DatasetSpec, ImageFolders
from lsbench.data.garments import pack
from lsbench.data.garments.png_folders import write_split

if TYPE_CHECKING:
    from lsbench.data.garments.png_folders import LabelledImage

SPLIT = "test"


class GarmentTestSpec(DatasetSpec):
    """A test set of pictures made from embedded photos.

    Attributes:
        img_size: The pictures are resized to this.
        images_per_class: Number of pictures per class; smaller sets are parts of larger ones.
    """

    img_size: int = Field(default=32, ge=8)
    images_per_class: int


@dataclass(frozen=True)
class GarmentTestSet:
    """A plug-in that writes pictures as ``<wnid>/<source index>.png`` into the cache.

    Attributes:
        spec: The spec class.
        labels: Fashion-MNIST's class numbers of the pictures.
        version: Part of the fingerprint; raised with every change that alters the pictures.
        draw: Yields the pictures of a spec.
    """

    spec: type[GarmentTestSpec]
    labels: tuple[int, ...]
    version: int
    draw: Callable[[Any], Iterable[LabelledImage]]

    @property
    def is_generated(self) -> bool:
        """True: the pictures are drawn into the cache."""
        return True

    @property
    def in_memory(self) -> bool:
        """True: the pictures are small and few."""
        return True

    def fingerprint(self, spec: GarmentTestSpec, data_root: Path | None) -> str:
        """Return a hash of the photos' checksum, the version and the fields that change pictures."""
        cache_root()  # the pictures will be written there: fail now, not in every job
        fields = spec.model_dump(mode="json", exclude={"img_size"})
        drawn = {"pack": pack.content_sha256(), "version": self.version, "spec": fields}
        return content_hash(drawn, length=64)

    def prepare(self, spec: GarmentTestSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders, written to the cache on first use (some seconds)."""
        wnids = pack.wnids()

        def write(folder: Path) -> None:
            write_split(folder, wnids, self.draw(spec), empty_classes=False)

        root = materialise(spec.name, self.fingerprint(spec, data_root), write)
        ordered = tuple(sorted(wnids))
        subset = tuple(sorted(ordered.index(wnids[label]) for label in self.labels))
        whole = len(subset) == len(ordered)
        return ImageFolders(
            root,
            {SPLIT: root},
            ordered,
            pack.MEAN,
            pack.STD,
            subset=None if whole else subset,
            titles=pack.titles(),
        )

    def num_classes(self, spec: GarmentTestSpec, data_root: Path | None = None) -> int:
        """Return 10, the classes of the tested models, even if the pictures cover fewer."""
        return len(pack.wnids())

    def num_images(self, spec: GarmentTestSpec, split: str) -> int:
        """Return the number of pictures."""
        if split != SPLIT:
            raise DataError(f"expected the split {SPLIT}, the only one of {spec.name}, found '{split}'")
        return spec.images_per_class * len(self.labels)
