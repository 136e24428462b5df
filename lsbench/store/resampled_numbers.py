"""Numbers that are no means over images, such as average precision, over resampled images.

All jobs share the resamples of a number of images, so that two models are compared on the same ones.

Shapes: S seeds, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsbench.core.atomic import atomic_write
from lsbench.store.job_files import RESAMPLED, read_arrays

#: Start of the name of the array of a metric's numbers over resamples, and of that over all images.
OVER_RESAMPLES, OVER_ALL = "resampled_", "value_"


@dataclass(frozen=True)
class Resampled:
    """A number over all images, and over resampled ones.

    Attributes:
        value: The number over all images.
        values: The number over each resample, NaN where it has none, shape ``(R,)``.
        count: Number of images.
        sha256: SHA-256 of the list of image files, in order.
    """

    value: float
    values: NDArray[np.float64]
    count: int
    sha256: str


class ResampledDifferences(NamedTuple):
    """Differences of two models, first minus second.

    Attributes:
        apart: Over all images, shape ``(S,)``.
        resampled: Over each resample, shape ``(S, R)``.
        images: Number of images.
    """

    apart: NDArray[np.float64]
    resampled: NDArray[np.float64]
    images: int


def write_resampled(
    job_folder: Path,
    sha256: str,
    count: int,
    numbers: Mapping[str, float | None],
    resampled: Mapping[str, NDArray[np.float64]],
) -> None:
    """Write the numbers of a job for comparisons.

    Args:
        job_folder: The job's folder.
        sha256: SHA-256 of the list of image files.
        count: Number of images.
        numbers: Metric -> number over all images.
        resampled: Metric -> numbers over resampled images, shape ``(R,)``; of metrics without a number over
            all images, nothing is written.
    """
    arrays: dict[str, Any] = {"images_sha256": np.array(sha256), "images": np.array(count)}
    for name, values in resampled.items():
        value = numbers.get(name)
        if value is not None:
            arrays |= {f"{OVER_ALL}{name}": np.array(value), f"{OVER_RESAMPLES}{name}": values}
    with atomic_write(job_folder / RESAMPLED) as file:
        np.savez_compressed(file, **arrays)


def read_resampled(job_folder: Path, metric: str, value: float | None) -> Resampled | None:
    """Return the numbers over resampled images behind a value, or None if the job keeps none.

    Args:
        job_folder: Folder of a job.
        metric: Name of the metric.
        value: The recorded value; that of a part of the job, such as one class, has none.

    Raises:
        StoreError: If the file is damaged.
    """
    names = ["images_sha256", "images", f"{OVER_ALL}{metric}", f"{OVER_RESAMPLES}{metric}"]
    found = read_arrays(job_folder / RESAMPLED, names)
    if found is None or value is None or abs(float(found[names[2]]) - value) > 1e-9:
        return None
    return Resampled(
        float(found[names[2]]), found[names[3]], int(found["images"]), str(found["images_sha256"])
    )


def resampled_differences(
    numbers: Mapping[int, Resampled | None], baseline: Mapping[int, Resampled | None]
) -> tuple[ResampledDifferences | None, str]:
    """Return the differences of two models resample by resample and seed by seed, or why there are none.

    Args:
        numbers: Seed -> a number of the first model; None if none over resamples is kept.
        baseline: The same for the second model; the seeds that both have are paired.
    """
    seeds = sorted(numbers.keys() & baseline.keys())
    pairs = [(numbers[seed], baseline[seed]) for seed in seeds]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not pairs or len(known) < len(pairs):
        return None, "no per-image results are kept"
    if len({(side.sha256, side.count, len(side.values)) for pair in known for side in pair}) > 1:
        return None, "the two were tested on different images"
    return ResampledDifferences(
        np.array([one.value - other.value for one, other in known]),
        np.stack([one.values - other.values for one, other in known]),
        known[0][0].count,
    ), ""
