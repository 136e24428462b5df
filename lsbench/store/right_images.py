"""What evaluations keep of each image: which were right, and whether two models saw the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsbench.store.job_files import PREDICTIONS, read_arrays

#: Where an evaluation answers once among some classes and once among all, what belongs to the latter.
HEADS = ("", "whole_")


@dataclass(frozen=True)
class RightImages:
    """For each image of a split, whether a model was right.

    Attributes:
        packed: One bit per image.
        count: Number of images.
        sha256: Of the list of the images' files, in order.
    """

    packed: NDArray[np.uint8]
    count: int
    sha256: str

    @classmethod
    def pack(cls, right: NDArray[np.bool_], sha256: str) -> RightImages:
        """Return what `right`, shape ``(count,)``, says, in an eighth of the memory."""
        return cls(np.packbits(right), len(right), sha256)

    def right(self) -> NDArray[np.bool_]:
        """Return whether each image was right, shape ``(count,)``."""
        return np.unpackbits(self.packed, count=self.count).astype(bool)


def read_right(job_folder: Path, metric: str, value: float | None) -> RightImages | None:
    """Return the images whose mean a figure is, or None if the job keeps nothing of single images.

    A job that records a metric under several protocols keeps the images of each; those whose mean the value
    is are its own.

    Args:
        job_folder: Of an evaluation.
        metric: Whose scores are looked for.
        value: The figure.

    Raises:
        StoreError: If the file is damaged.
    """
    path = job_folder / PREDICTIONS
    names = [f"{head}score_{metric}" for head in HEADS]
    found = read_arrays(path, ["images_sha256"], optional=names)
    if found is None or value is None:
        return None
    scores = [found[name] for name in names if name in found]
    fitting = [one for one in scores if one.dtype == bool and len(one) and abs(one.mean() - value) < 1e-9]
    if not fitting or any(not np.array_equal(fitting[0], other) for other in fitting[1:]):
        return None
    return RightImages.pack(fitting[0], str(found["images_sha256"]))


def differences(
    images: Mapping[int, RightImages | None], baseline: Mapping[int, RightImages | None]
) -> tuple[NDArray[np.int8] | None, str]:
    """Return image by image and seed by seed who was right, or why the two cannot be paired so.

    Args:
        images: Seed -> images of the first model; None where nothing is kept.
        baseline: The same of the second; the seeds that both have are paired.

    Returns:
        1 where only the first was right, -1 where only the second was, 0 where both or neither were, shape
        ``(S, N)`` in the order of the seeds; and a reason where there is none.
    """
    seeds = sorted(images.keys() & baseline.keys())
    pairs = [(images[seed], baseline[seed]) for seed in seeds]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not pairs or len(known) < len(pairs):
        return None, "no results of single images are kept"
    if len({(side.sha256, side.count) for pair in known for side in pair}) > 1:
        return None, "the two were tested on other images"
    return np.stack([one.right().astype(np.int8) - other.right() for one, other in known]), ""
