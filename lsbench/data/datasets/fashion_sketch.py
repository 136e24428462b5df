"""Fashion-MNIST, sketches: test photos of all ten classes as bright strokes on black.

Laid out like ImageNet-Sketch (Wang et al., 2019, arXiv:1905.13549): line drawings of every class, in
``<wnid>/<files>``. The strokes are computed from edges. It is not ImageNet-Sketch and is never reported as
such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lsbench.data.garments import pack
from lsbench.data.garments.garment_tests import GarmentTestSet, GarmentTestSpec

if TYPE_CHECKING:
    from lsbench.data.garments.png_folders import LabelledImage

LABELS = tuple(range(10))


class FashionSketchSpec(GarmentTestSpec):
    """Sketches of all ten classes.

    Attributes:
        name: ``fashion_sketch``.
        img_size: The 56x56 pictures are resized to this.
        images_per_class: Number of test photos per class, the first ones.
    """

    name: Literal["fashion_sketch"] = "fashion_sketch"
    images_per_class: int = Field(default=100, ge=1, le=1000)


def _sketches(spec: FashionSketchSpec) -> Iterator[LabelledImage]:
    from lsbench.data.garments.stylise import draw_sketch

    test = pack.read_pack()["test"].balanced_prefix(10 * spec.images_per_class)
    for photo, label, index in zip(test.images, test.labels.tolist(), test.indices.tolist(), strict=True):
        yield draw_sketch(photo), label, index


DATASET = GarmentTestSet(FashionSketchSpec, LABELS, version=1, draw=_sketches)
