"""ImageNet-Sketch: 50,889 black and white sketches of ImageNet's 1,000 classes.

Class folders under WordNet ids, as in the published archive.

Source:
    Wang et al., Learning Robust Global Representations by Penalizing Local Predictive Power, NeurIPS 2019,
    arXiv:1905.13549.
"""

from __future__ import annotations

from typing import Literal

from lsbench.core.quantity import percentage
from lsbench.data.imagenet.test_sets import ImageNetTestSet, ImageNetTestSetSpec


class ImageNetSketchSpec(ImageNetTestSetSpec):
    """ImageNet-Sketch.

    Attributes:
        name: ``imagenet_sketch``.
    """

    name: Literal["imagenet_sketch"] = "imagenet_sketch"


#: Accuracy, as usually published.
QUANTITIES = (percentage("imagenet_sketch_top1", "ImageNet-Sketch top-1", short_title="IN-Sketch (%)"),)

DATASET = ImageNetTestSet(
    spec=ImageNetSketchSpec,
    title="ImageNet-Sketch",
    folders=("imagenet-sketch", "sketch"),
    how_to_get="unpack ImageNet-Sketch.zip, linked at github.com/HaohanWang/ImageNet-Sketch",
    images=50_889,
)
