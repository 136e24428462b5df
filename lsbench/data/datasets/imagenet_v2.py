"""ImageNetV2: 10,000 new photos of ImageNet's 1,000 classes, collected like the validation set.

The published archives number their class folders from 0 to 999 in the order of the sorted WordNet ids;
folders under the ids themselves are read as well.

Source:
    Recht et al., Do ImageNet Classifiers Generalize to ImageNet?, ICML 2019, arXiv:1902.10811.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lsbench.data.imagenet.ilsvrc import check_classes, ilsvrc_wnids
from lsbench.data.imagenet.test_sets import ImageNetTestSet, ImageNetTestSetSpec


class ImageNetV2Spec(ImageNetTestSetSpec):
    """ImageNetV2.

    Attributes:
        name: ``imagenet_v2``.
        selection: How its photos were selected, in the words of the archives' names; papers mean
            ``matched-frequency`` unless they say otherwise.
    """

    name: Literal["imagenet_v2"] = "imagenet_v2"
    selection: Literal["matched-frequency", "threshold0.7", "top-images"] = "matched-frequency"


class ImageNetV2Dataset(ImageNetTestSet):
    """ImageNetV2, with either naming of its folders."""

    def default_folders(self, spec: Any) -> tuple[str, ...]:
        """Return the folder that the selection's archive unpacks to."""
        return (f"imagenetv2-{spec.selection}-format-val",)

    def check(self, place: Path, found: list[str]) -> None:
        """Check that the folders are all numbers, or all WordNet ids.

        Raises:
            DataError: Naming the first that is missing or unexpected.
        """
        numbers = [str(number) for number in range(len(ilsvrc_wnids()))]
        are_numbered = any(name.isdecimal() for name in found)
        expected = numbers if are_numbered else ilsvrc_wnids()
        check_classes(place, found, expected, what=f"class folders of {self.title}", how=self.how_to_get)


DATASET = ImageNetV2Dataset(
    spec=ImageNetV2Spec,
    title="ImageNetV2",
    folders=(),
    how_to_get="unpack imagenetv2-<selection>.tar.gz, linked at github.com/modestyachts/ImageNetV2",
    images=10_000,
)
