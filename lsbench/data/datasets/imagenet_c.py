"""ImageNet-C: the published corrupted JPEGs of ImageNet's validation set, 224 x 224 pixels.

Its splits are its conditions, one for each corruption and severity (``fog/3``), each with all 50,000 images
in class folders under WordNet ids. Conditions may be missing; one that lacks a class counts as missing.

Source:
    Hendrycks and Dietterich, ICLR 2019, arXiv:1903.12261.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import ImageFolders
from lsbench.data.imagenet.c_conditions import C_SIZE, Conditions, find_conditions
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids
from lsbench.data.imagenet.test_sets import ImageNetTestSetSpec, first_folder

IMAGES_OF_A_CONDITION = 50_000


class ImageNetCSpec(ImageNetTestSetSpec):
    """ImageNet-C.

    Attributes:
        name: ``imagenet_c``.
        root: Folder that holds the folders of the corruptions; default: ``<data root>/imagenet-c``.
    """

    name: Literal["imagenet_c"] = "imagenet_c"


class ImageNetCDataset:
    """The published files from the user's disk."""

    spec = ImageNetCSpec
    in_memory = False
    corrupted_size = C_SIZE

    def fingerprint(self, spec: ImageNetCSpec, data_root: Path | None) -> str:
        """Return a hash over all images of the available conditions; fast from the second call on."""
        return content_hash(self.conditions(spec, data_root).fingerprints, length=64)

    def prepare(self, spec: ImageNetCSpec, data_root: Path | None) -> ImageFolders:
        """Return a split for each condition that holds every class.

        Raises:
            DataError: If there is none.
        """
        found = self.conditions(spec, data_root)
        if not found.places:
            raise DataError(next(iter(found.broken.values())))
        return ImageFolders(found.root, found.places, ilsvrc_wnids(), problems=found.problems)

    def conditions(self, spec: ImageNetCSpec, data_root: Path | None) -> Conditions:
        """Return the available conditions, and the problems of the others."""
        return find_conditions(first_folder(spec.root, data_root, ("imagenet-c", "ImageNet-C")))

    def num_classes(self, spec: ImageNetCSpec, data_root: Path | None = None) -> int:
        """Return 1000."""
        return 1000

    def num_images(self, spec: ImageNetCSpec, split: str) -> int:
        """Return the published image count of a condition, which is the same for all."""
        return IMAGES_OF_A_CONDITION


DATASET = ImageNetCDataset()
