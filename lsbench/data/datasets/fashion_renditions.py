"""Fashion-MNIST, renditions: test photos of six classes drawn anew in five styles.

Laid out like ImageNet-R (Hendrycks et al., 2021, arXiv:2006.16241): renditions of some classes, in
``<wnid>/<files>``. The styles are computed: posterised, textured silhouette, halftone, painted, cartoon. It
is not ImageNet-R and is never reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lsbench.data.garments import pack
from lsbench.data.garments.garment_tests import GarmentTestSet, GarmentTestSpec

if TYPE_CHECKING:
    from lsbench.data.garments.png_folders import LabelledImage

#: T-shirt, trouser, dress, sandal, bag and ankle boot: classes that differ in outline.
LABELS = (0, 1, 3, 5, 8, 9)
NUM_STYLES = 5


class FashionRenditionsSpec(GarmentTestSpec):
    """Renditions of six classes in five styles.

    Attributes:
        name: ``fashion_renditions``.
        img_size: The 56x56 pictures are resized to this.
        seed: Seed of colours and textures; not the training seed.
        images_per_class: Pictures per class, the styles in turn; picture ``i`` does not depend on it.
    """

    name: Literal["fashion_renditions"] = "fashion_renditions"
    seed: int = Field(default=0, ge=0)
    images_per_class: int = Field(default=200, ge=NUM_STYLES, le=1000, multiple_of=NUM_STYLES)


def _renditions(spec: FashionRenditionsSpec) -> Iterator[LabelledImage]:
    """Yield the first photos of each class, cycling through the styles."""
    import numpy as np

    from lsbench.data.garments.stylise import STYLES, draw_rendition

    styles = list(STYLES)
    test = pack.read_pack()["test"]
    for label in LABELS:
        for count, row in enumerate(np.flatnonzero(test.labels == label)[: spec.images_per_class]):
            index = int(test.indices[row])
            rng = np.random.default_rng([spec.seed, index])
            yield draw_rendition(test.images[row], styles[count % len(styles)], rng), label, index


DATASET = GarmentTestSet(FashionRenditionsSpec, LABELS, version=1, draw=_renditions)
