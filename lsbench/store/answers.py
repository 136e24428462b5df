"""A model's answers to each image of a split, as stored by evaluations of any version.

Shapes: N images, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import StoreError
from lsbench.store.job_files import HEADS, PREDICTIONS, read_arrays

#: Names of the arrays of each protocol: the first two were always kept.
_ALWAYS, _LATER = ("targets", "predictions"), ("best", "confidence")
_CALIBRATION = "score_ece"


@dataclass(frozen=True)
class Answers:
    """A model's answers to each image of a split under one protocol.

    Attributes:
        targets: True classes, shape ``(N,)``; of several correct ones, the one predicted most likely.
        predictions: Most likely classes, shape ``(N,)``.
        best: The five most likely classes, the likeliest first, shape ``(N, 5)``, or ``(N, K)`` of fewer
            classes; None in files of before.
        confidence: Probability of the most likely class, shape ``(N,)``; None in files of before. It is
            stored as float16, which is at most 0.00025 off; `is_exact` says that it is not rounded.
        is_exact: True if the confidence is as the model gave it, since the evaluation measured calibration.
        classes: Names of the classes by index; None in files of before.
        titles: Names of the classes for readers, if those by which images are stored are none.
        sha256: SHA-256 of the list of image files, in order.
    """

    targets: NDArray[np.int64]
    predictions: NDArray[np.int64]
    best: NDArray[np.int64] | None
    confidence: NDArray[np.float32] | None
    is_exact: bool
    classes: tuple[str, ...] | None
    sha256: str
    titles: tuple[str, ...] | None = None

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the prediction of each image is correct, shape ``(N,)``."""
        return np.equal(self.predictions, self.targets)

    @property
    def num_classes(self) -> int:
        """K; in files of before, one more than the highest class that is mentioned."""
        if self.classes is not None:
            return len(self.classes)
        return int(max(self.targets.max(initial=-1), self.predictions.max(initial=-1))) + 1

    def class_name(self, index: int) -> str:
        """Return the name of a class; its number in files of before."""
        return f"class {index}" if self.classes is None else self.classes[index]

    def class_title(self, index: int) -> str:
        """Return the name of a class for readers."""
        return self.class_name(index) if self.titles is None else self.titles[index]


def packed_answers(
    targets: NDArray[Any], predictions: NDArray[Any], best: NDArray[Any], confidence: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of one protocol in their compact types: two bytes for a class or a confidence."""
    classes = {"targets": targets, "predictions": predictions, "best": best}
    highest = max(int(values.max(initial=0)) for values in classes.values())
    kind = np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32
    packed: dict[str, NDArray[Any]] = {name: values.astype(kind) for name, values in classes.items()}
    return {**packed, "confidence": confidence.astype(np.float16)}


def read_answers(job_folder: Path) -> list[Answers]:
    """Return the answers that an evaluation keeps, one for each of its protocols; often one, or none.

    An evaluation over some of the classes has a second one over all.

    Raises:
        StoreError: If the file is damaged.
    """
    path = job_folder / PREDICTIONS
    names = [f"{head}{name}" for head in HEADS for name in (*_ALWAYS, *_LATER, _CALIBRATION)]
    found = read_arrays(path, ["images_sha256"], optional=["classes", "titles", *names])
    if found is None:
        return []
    heads = [head for head in HEADS if all(f"{head}{name}" in found for name in _ALWAYS)]
    return [_answers(path, head, found) for head in heads]


def _answers(path: Path, head: str, found: dict[str, NDArray[Any]]) -> Answers:
    targets, predictions, best, rounded, calibration = (
        found.get(f"{head}{name}") for name in (*_ALWAYS, *_LATER, _CALIBRATION)
    )
    if targets is None or predictions is None or targets.ndim != 1 or targets.shape != predictions.shape:
        raise StoreError(
            f"{path}: damaged (not one class for each image); remove the job's folder and run again"
        )
    confidence = rounded if calibration is None else calibration[:, 0]
    classes, titles = found.get("classes"), found.get("titles")
    return Answers(
        targets=targets.astype(np.int64),
        predictions=predictions.astype(np.int64),
        best=None if best is None else best.astype(np.int64),
        confidence=None if confidence is None else confidence.astype(np.float32),
        is_exact=calibration is not None,
        classes=None if classes is None else tuple(classes.tolist()),
        sha256=str(found["images_sha256"]),
        titles=None if titles is None else tuple(titles.tolist()),
    )


def read_names(job_folder: Path) -> list[str] | None:
    """Return ``<class>/<file name>`` of each image of an evaluation; None in files of before.

    Raises:
        StoreError: If the file is damaged.
    """
    found = read_arrays(job_folder / PREDICTIONS, ["names"])
    return None if found is None else [str(name) for name in found["names"]]
