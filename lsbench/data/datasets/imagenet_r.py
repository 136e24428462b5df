"""ImageNet-R: 30,000 paintings, toys, sculptures and other renditions of 200 ImageNet classes.

Class folders under WordNet ids, as in the published archive. Predictions are restricted to the 200 classes,
as its authors do, and taken over all 1,000 classes as a second protocol.

Source:
    Hendrycks et al., The Many Faces of Robustness, ICCV 2021, arXiv:2006.16241.
"""

from __future__ import annotations

from typing import Literal

from lsbench.core.facets import Facets
from lsbench.core.quantity import percentage
from lsbench.data.imagenet.test_sets import ImageNetTestSet, ImageNetTestSetSpec


class ImageNetRSpec(ImageNetTestSetSpec):
    """ImageNet-R.

    Attributes:
        name: ``imagenet_r``.
    """

    name: Literal["imagenet_r"] = "imagenet_r"


#: Accuracy, as usually published.
QUANTITIES = (
    percentage(
        "imagenet_r_top1", "ImageNet-R top-1", short_title="IN-R (%)", published_under=Facets(classes=200)
    ),
)

DATASET = ImageNetTestSet(
    spec=ImageNetRSpec,
    title="ImageNet-R",
    folders=("imagenet-r",),
    how_to_get="unpack imagenet-r.tar, linked at github.com/hendrycks/imagenet-r",
    images=30_000,
    classes="imagenet_r_synsets.txt",
)
