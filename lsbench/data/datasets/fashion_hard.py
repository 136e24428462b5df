"""Fashion-MNIST, hard examples: test photos of six classes that a nearest-neighbour reference gets wrong.

Made and laid out like ImageNet-A (Hendrycks et al., 2021, arXiv:1907.07174): test photos of some classes on
which a fixed model fails, in ``<wnid>/<files>``. The model is the vote of the five nearest training photos,
with 81.5 % accuracy on all test photos. It is not ImageNet-A and is never reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lsbench.data.garments import pack
from lsbench.data.garments.garment_tests import GarmentTestSet, GarmentTestSpec

if TYPE_CHECKING:
    from lsbench.data.garments.png_folders import LabelledImage

#: T-shirt, pullover, dress, coat, sandal and shirt: the classes with most errors of the reference.
LABELS = (0, 2, 3, 4, 5, 6)


class FashionHardSpec(GarmentTestSpec):
    """Hard examples of six classes.

    Attributes:
        name: ``fashion_hard``.
        img_size: The 28x28 photos are resized to this.
        images_per_class: Number of photos per class, the hardest first.
    """

    name: Literal["fashion_hard"] = "fashion_hard"
    images_per_class: int = Field(default=100, ge=1, le=150)


def _hardest(spec: FashionHardSpec) -> Iterator[LabelledImage]:
    test = pack.read_pack()["test"]
    for label in LABELS:
        for row in _failures(label)[: spec.images_per_class]:
            yield test.images[row], label, int(test.indices[row])


@cache
def _failures(label: int) -> tuple[int, ...]:
    """Return the misclassified test photos of a class, those with the fewest votes for the truth first."""
    import numpy as np

    from lsbench.data.garments.neighbours import count_votes

    test = pack.read_pack()["test"]
    rows = np.flatnonzero(test.labels == label)
    votes = count_votes(test.images[rows])
    is_wrong = votes.argmax(axis=1) != label
    hardest = np.argsort(votes[is_wrong, label], kind="stable")
    return tuple(rows[is_wrong][hardest].tolist())


DATASET = GarmentTestSet(FashionHardSpec, LABELS, version=1, draw=_hardest)
