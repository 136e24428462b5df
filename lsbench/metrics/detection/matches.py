"""Matches of detections to objects, kept per image, so that precision is known for any choice of images.

They are little: 22 bytes a detection. From them the average precision over all images follows, and that over
any resampled images, without overlaps or masks.

Shapes: I images, K classes, D detections of all images; A = 4 ranges of area, T = 10 thresholds of overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.metrics.detection.objects import Detections, TrueObjects

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Least overlaps of a hit."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which precision is averaged."""
#: Ranges of an object's area in square pixels; both ends belong to a range.
AREAS: Mapping[str, tuple[float, float]] = {
    "all": (0, 1e5**2),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e5**2),
}
MOST_DETECTIONS = 100
"""Detections of an image and class that count, the best ones."""

_RANGES = np.array(list(AREAS.values()), dtype=np.float64)


@dataclass(frozen=True)
class Matches:
    """The detections of a data set by class, then descending score, then image.

    Attributes:
        image: Image of each detection, int32, shape ``(D,)``.
        score: Its score, float64, shape ``(D,)``.
        hit: A bit per threshold if it matches an object, for each range of area, uint16, shape ``(D, A)``.
        left_out: Likewise if it does not count: matched to what does not count, or unmatched and out of
            range.
        class_ends: Where the detections of each class end, int64, shape ``(K,)``.
        objects: Number of objects that count by image, class and range of area, int32, shape ``(I, K, A)``.
    """

    image: NDArray[np.int32]
    score: NDArray[np.float64]
    hit: NDArray[np.uint16]
    left_out: NDArray[np.uint16]
    class_ends: NDArray[np.int64]
    objects: NDArray[np.int32]

    @property
    def num_images(self) -> int:
        """Number of images."""
        return len(self.objects)

    def average_precisions(
        self,
        weights: NDArray[np.int64] | None = None,
        *,
        area: str = "all",
        thresholds: Sequence[int] = range(len(THRESHOLDS)),
    ) -> NDArray[np.float64]:
        """Return the average precision of each class at some thresholds, shape ``(thresholds, K)``.

        A class without objects has NaN.

        Args:
            weights: How often each image counts, shape ``(I,)``; None: once. The result is exactly that of a
                data set in which each image stands that often, in the order of images.
            area: Range of area, a key of `AREAS`.
            thresholds: Places in `THRESHOLDS`.
        """
        from lsbench.metrics.detection.match_kernels import mean_precisions

        counts = np.ones(self.num_images, np.int64) if weights is None else np.asarray(weights, np.int64)
        place = list(AREAS).index(area)
        found = np.full((len(thresholds), len(self.class_ends)), np.nan)
        mean_precisions(
            (self.image, self.score, self.hit[:, place], self.left_out[:, place]),
            self.class_ends,
            counts,
            counts @ self.objects[:, :, place],
            np.asarray(thresholds, dtype=np.int64),
            RECALLS,
            found,
        )
        return found

    def mean_average_precision(
        self,
        weights: NDArray[np.int64] | None = None,
        *,
        area: str = "all",
        thresholds: Sequence[int] = range(len(THRESHOLDS)),
    ) -> float:
        """Return the mean over thresholds and classes that have objects; NaN if none has."""
        found = self.average_precisions(weights, area=area, thresholds=thresholds)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays for a file of numpy, from which :meth:`from_arrays` makes the matches again."""
        images, classes, areas = np.nonzero(self.objects)
        single = self.score.astype(np.float32)
        is_exact = bool((single == self.score).all())
        return {
            "image": self.image,
            "score": single if is_exact else self.score,
            "hit": self.hit,
            "left_out": self.left_out,
            "class_ends": self.class_ends,
            "shape": np.array(self.objects.shape, dtype=np.int64),
            "places": np.stack([images, classes, areas]).astype(np.int32),
            "counts": self.objects[images, classes, areas],
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Matches:
        """Return the matches that :meth:`to_arrays` made plain."""
        objects = np.zeros(tuple(arrays["shape"].tolist()), dtype=np.int32)
        objects[tuple(arrays["places"])] = arrays["counts"]
        names = ("image", "hit", "left_out", "class_ends")
        return cls(
            score=arrays["score"].astype(np.float64),
            objects=objects,
            **{name: arrays[name] for name in names},
        )


def match(
    truth: Sequence[TrueObjects],
    found: Sequence[Detections],
    num_classes: int,
    overlaps: Mapping[tuple[int, int], Any],
    areas: Sequence[NDArray[np.float64]],
) -> Matches:
    """Return the matches of all images.

    Args:
        truth: Objects of each image.
        found: Detections of each image.
        num_classes: K.
        overlaps: ``(image, class)``, from 0, to the overlaps of its best detections, in descending order of
            scores, with its objects, shape ``(detections, objects)``; it is only asked for what has both.
        areas: Area of each detection of each image, square pixels.
    """
    from lsbench.metrics.detection.match_kernels import match_groups

    image, label, score, area = _best(found, num_classes, areas)
    objects, ignored, is_crowd = _objects(truth, num_classes)
    group = image * num_classes + label
    pairs = np.unique(group)
    ends = [np.searchsorted(one, pairs, side="right") for one in (group, objects)]
    starts = [np.searchsorted(one, pairs, side="left") for one in (group, objects)]
    has_both = np.flatnonzero(ends[1] > starts[1])
    flat = [np.asarray(overlaps[divmod(int(pairs[row]), num_classes)]).ravel() for row in has_both]
    hit = np.zeros((len(group), len(_RANGES)), dtype=np.uint16)
    left_out = np.zeros_like(hit)
    match_groups(
        np.stack([starts[0], ends[0], starts[1], ends[1]]),
        np.concatenate([np.zeros(0), *flat]),
        ignored,
        is_crowd,
        _is_outside(area),
        THRESHOLDS,
        hit,
        left_out,
    )
    order = np.lexsort((np.arange(len(group)), image, -score, label))
    counts = np.zeros((len(truth) * num_classes, len(_RANGES)), dtype=np.int32)
    np.add.at(counts, objects, (~ignored.T).astype(np.int32))
    return Matches(
        image=image[order].astype(np.int32),
        score=score[order],
        hit=hit[order],
        left_out=left_out[order],
        class_ends=np.searchsorted(label[order], np.arange(num_classes), side="right"),
        objects=counts.reshape(len(truth), num_classes, len(_RANGES)),
    )


def _best(
    found: Sequence[Detections], num_classes: int, areas: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return image, class, score and area of detections that count, by image, class and falling score."""
    image = np.repeat(np.arange(len(found)), [len(one.labels) for one in found])
    label = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in found)]).astype(np.int64)
    score = np.concatenate([np.zeros(0), *(one.scores.astype(np.float64) for one in found)])
    group = image * num_classes + label
    order = np.lexsort((np.arange(len(group)), -score, group))
    ordered = group[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered, side="left")
    kept = order[rank < MOST_DETECTIONS]
    return image[kept], label[kept], score[kept], np.concatenate([np.zeros(0), *areas])[kept]


def _objects(
    truth: Sequence[TrueObjects], num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return ``image * K + class`` of each object, ascending, whether it does not count, and is a crowd."""
    image = np.repeat(np.arange(len(truth)), [len(one.labels) for one in truth])
    label = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in truth)]).astype(np.int64)
    group = image * num_classes + label
    order = np.argsort(group, kind="stable")
    area = np.concatenate([np.zeros(0), *(one.areas for one in truth)])[order]
    is_crowd = np.concatenate([np.zeros(0, np.bool_), *(one.is_crowd for one in truth)])[order]
    return group[order], _is_outside(area) | is_crowd, is_crowd


def _is_outside(areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether areas are outside of each range, shape ``(A, N)``."""
    return (areas < _RANGES[:, :1]) | (areas > _RANGES[:, 1:])
