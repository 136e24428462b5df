"""Confusion of classes of pixels: mean intersection over union, and accuracies, over a data set.

Shapes: K classes, I images; H rows, W columns.

Source:
    Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010 (intersection over union); the
    mean is over the classes of the whole data set, not over images, as in mmsegmentation and ADE20K's own
    evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import DataError

IGNORED = 255
_BYTE = 256
#: The counts of `ClassPixels`.
_COUNTS = ("right", "true", "predicted")

#: Names of the numbers, all fractions.
NUMBERS = ("miou", "pixel_accuracy", "mean_accuracy")


def count_confusion(
    target: NDArray[np.uint8], predicted: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Return how many pixels of each true class are predicted as each class, shape ``(K, K)``.

    Pixels whose true class is 255 do not count, whatever is predicted there.

    Args:
        target: True classes, uint8, ``(H, W)``.
        predicted: Predicted classes, uint8, ``(H, W)``.
        num_classes: K, at most 255.

    Raises:
        DataError: If shapes differ, or a class is beyond K.
    """
    if target.shape != predicted.shape or target.dtype != np.uint8 or predicted.dtype != np.uint8:
        raise DataError(
            f"expected two maps of bytes in one shape, found {target.dtype} {target.shape} and "
            f"{predicted.dtype} {predicted.shape}"
        )
    pairs = target.astype(np.int32)
    pairs *= _BYTE
    pairs += predicted
    counts = np.bincount(pairs.ravel(), minlength=_BYTE * _BYTE).reshape(_BYTE, _BYTE)
    found = counts[:num_classes, :num_classes]
    if found.sum() != pairs.size - counts[IGNORED].sum():
        strange = counts[:IGNORED].sum(axis=0)[num_classes:].any()
        raise DataError(
            f"expected classes from 0 to {num_classes - 1}, found others in the "
            f"{'predicted' if strange else 'true'} ones"
        )
    return found


@dataclass(frozen=True)
class ClassPixels:
    """Pixel counts of each image and class, which make every number for any choice of images.

    Attributes:
        right: Pixels predicted as their true class, int64, shape ``(I, K)``.
        true: Pixels of each true class.
        predicted: Pixels predicted as each class.
    """

    right: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, confusions: NDArray[np.int64]) -> ClassPixels:
        """Return the counts of images with these confusions, shape ``(I, K, K)``."""
        return cls(
            np.diagonal(confusions, axis1=1, axis2=2).copy(), confusions.sum(axis=2), confusions.sum(axis=1)
        )

    @classmethod
    def join(cls, parts: Iterable[ClassPixels]) -> ClassPixels:
        """Return the counts of the images of several parts, one after the other."""
        every = list(parts)
        return cls(*(np.concatenate([getattr(one, name) for one in every]) for name in _COUNTS))

    @property
    def num_images(self) -> int:
        """Number of images."""
        return len(self.right)

    def total(self, weights: NDArray[np.int64] | None = None) -> ClassPixels:
        """Return the sums over images, shape ``(1, K)`` each.

        Args:
            weights: How often each image counts, shape ``(I,)``; None: once.
        """
        counts = np.ones(self.num_images, np.int64) if weights is None else weights
        return ClassPixels(*(counts[None] @ one for one in (self.right, self.true, self.predicted)))

    def of_classes(self) -> dict[str, NDArray[np.float64]]:
        """Return intersection over union and accuracy of each class over all images, shape ``(K,)``.

        NaN is for a class that is neither true nor predicted anywhere, or for the accuracy of one that is
        never true.
        """
        total = self.total()
        right, true, predicted = (
            one[0].astype(np.float64) for one in (total.right, total.true, total.predicted)
        )
        with np.errstate(invalid="ignore"):
            return {"iou": right / (true + predicted - right), "accuracy": right / true}

    def numbers(self, weights: NDArray[np.int64] | None = None) -> dict[str, float | None]:
        """Return mean intersection over union, accuracy over pixels and its mean over classes.

        Classes that do not occur are left out of the means; None is for no counted pixel at all.

        Args:
            weights: As for :meth:`total`.
        """
        total = self.total(weights)
        of_classes = total.of_classes()
        pixels = int(total.true.sum())
        return {
            "miou": _mean(of_classes["iou"]),
            "pixel_accuracy": int(total.right.sum()) / pixels if pixels else None,
            "mean_accuracy": _mean(of_classes["accuracy"]),
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays for a file of numpy, in 32 bits where they fit."""
        most = max((int(one.max(initial=0)) for one in (self.true, self.predicted)), default=0)
        kind = np.uint32 if most < 2**32 else np.int64
        return {name: getattr(self, name).astype(kind) for name in _COUNTS}

    @classmethod
    def from_arrays(cls, arrays: Any) -> ClassPixels:
        """Return the counts that :meth:`to_arrays` made plain."""
        return cls(*(arrays[name].astype(np.int64) for name in _COUNTS))


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
