"""ImageNet-A: 7,500 photos of 200 ImageNet classes that a ResNet-50 misclassifies.

Class folders under WordNet ids, as in the published archive. Predictions are restricted to the 200 classes,
as its authors do, and taken over all 1,000 classes as a second protocol.

Source:
    Hendrycks et al., Natural Adversarial Examples, CVPR 2021, arXiv:1907.07174.
"""

from __future__ import annotations

from typing import Literal

from lsbench.core.facets import Facets
from lsbench.core.quantity import percentage
from lsbench.data.imagenet.test_sets import ImageNetTestSet, ImageNetTestSetSpec


class ImageNetASpec(ImageNetTestSetSpec):
    """ImageNet-A.

    Attributes:
        name: ``imagenet_a``.
    """

    name: Literal["imagenet_a"] = "imagenet_a"


#: Accuracy, as usually published.
QUANTITIES = (
    percentage(
        "imagenet_a_top1", "ImageNet-A top-1", short_title="IN-A (%)", published_under=Facets(classes=200)
    ),
)

DATASET = ImageNetTestSet(
    spec=ImageNetASpec,
    title="ImageNet-A",
    folders=("imagenet-a",),
    how_to_get="unpack imagenet-a.tar, linked at github.com/hendrycks/natural-adv-examples",
    images=7_500,
    classes="imagenet_a_synsets.txt",
)
