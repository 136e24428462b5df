"""The images that a model classified correctly, as stored by evaluations, and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsbench.store.job_files import HEADS, PREDICTIONS, read_arrays


@dataclass(frozen=True)
class RightImages:
    """The images of a split that a model classified correctly.

    Attributes:
        packed: One bit per image.
        count: Number of images.
        sha256: SHA-256 of the list of image files, in order.
    """

    packed: NDArray[np.uint8]
    count: int
    sha256: str

    @classmethod
    def pack(cls, right: NDArray[np.bool_], sha256: str) -> RightImages:
        """Return `right`, shape ``(count,)``, packed into an eighth of the memory."""
        return cls(np.packbits(right), len(right), sha256)

    def right(self) -> NDArray[np.bool_]:
        """Return whether each image was classified correctly, shape ``(count,)``."""
        return np.unpackbits(self.packed, count=self.count).astype(bool)


def read_right(job_folder: Path, metric: str, value: float | None) -> RightImages | None:
    """Return the per-image results behind a value, or None if the job keeps none.

    A job that records a metric under several protocols keeps the images of each; the ones whose mean equals
    the value are returned.

    Args:
        job_folder: Folder of an evaluation.
        metric: Name of the metric.
        value: The recorded value.

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
    """Return the differences image by image and seed by seed, or the reason why there are none.

    Args:
        images: Seed -> images of the first model; None if no images are kept.
        baseline: The same for the second model; the seeds that both have are paired.

    Returns:
        1 where only the first was correct, -1 where only the second was, 0 where both or neither were, shape
        ``(S, N)`` in the order of the seeds; or None, and the reason.
    """
    seeds = sorted(images.keys() & baseline.keys())
    pairs = [(images[seed], baseline[seed]) for seed in seeds]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not pairs or len(known) < len(pairs):
        return None, "no per-image results are kept"
    if len({(side.sha256, side.count) for pair in known for side in pair}) > 1:
        return None, "the two were tested on different images"
    return np.stack([one.right().astype(np.int8) - other.right() for one, other in known]), ""
