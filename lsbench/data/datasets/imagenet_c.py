"""ImageNet-C: the published corrupted JPEGs of ImageNet's validation set, 224 pixels wide and high.

Its splits are its cells, one for each corruption and severity (``fog/3``), each with all 50,000 images in
class folders under WordNet ids. Any part of the cells may be there; those that are not, or lack a class, are
no split.

Source:
    Hendrycks and Dietterich, ICLR 2019, arXiv:1903.12261.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import ImageFolders
from lsbench.data.imagenet.c_conditions import Cells, find_cells
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.imagenet.test_sets import VariantSpec, first_folder

IMAGES_OF_A_CELL = 50_000


class ImageNetCSpec(VariantSpec):
    """ImageNet-C.

    Attributes:
        name: ``imagenet_c``.
        root: Folder that holds the folders of the corruptions; ``<data root>/imagenet-c`` if not given.
    """

    name: Literal["imagenet_c"] = "imagenet_c"


class ImageNetCDataset:
    """The published files from the user's disk."""

    spec = ImageNetCSpec
    in_memory = False

    def fingerprint(self, spec: ImageNetCSpec, data_root: Path | None) -> str:
        """Return the hash over all images of the cells that are there; fast from the second call on."""
        return content_hash(self.cells(spec, data_root).fingerprints, length=64)

    def prepare(self, spec: ImageNetCSpec, data_root: Path | None) -> ImageFolders:
        """Return a split for each cell that holds every class.

        Raises:
            DataError: If there is none.
        """
        found = self.cells(spec, data_root)
        if not found.places:
            raise DataError(next(iter(found.broken.values())))
        return ImageFolders(found.root, found.places, ilsvrc_wnids(), problems=found.problems)

    def cells(self, spec: ImageNetCSpec, data_root: Path | None) -> Cells:
        """Return what is there of the cells, and what is wrong with the others."""
        return find_cells(first_folder(spec.root, data_root, ("imagenet-c", "ImageNet-C")))

    def num_classes(self, spec: ImageNetCSpec, data_root: Path | None = None) -> int:
        """Return 1000."""
        return 1000

    def num_images(self, spec: ImageNetCSpec, split: str) -> int:
        """Return the published number of images of a cell, whichever it is."""
        return IMAGES_OF_A_CELL


DATASET = ImageNetCDataset()
