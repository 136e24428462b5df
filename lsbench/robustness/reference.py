"""The errors of the reference models that normalise corruption errors: AlexNet's for ImageNet.

A corruption error is a ratio to a reference and is meaningless without its name, so protocols include it.
This module does not import numpy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

from lsbench.core.errors import DataError
from lsbench.corruptions import BENCHMARK, SEVERITIES

EMBEDDED = Path(__file__).with_name("corruption_reference.json")


@dataclass(frozen=True)
class Reference:
    """A reference model's top-1 errors, fractions.

    Attributes:
        name: Its name in protocols.
        errors: Corruption -> mean error over the five severities, for all corruptions of the benchmark.
        clean_error: Error on the images without corruption.
    """

    name: str
    errors: Mapping[str, float]
    clean_error: float

    def __post_init__(self) -> None:
        """Raise a ValueError if a corruption is missing or its error is not above 0."""
        if wrong := [name for name in BENCHMARK if not 0 < self.errors.get(name, 0) <= 1]:
            raise ValueError(f"reference '{self.name}': expected errors above 0 of {', '.join(wrong)}")


#: Source: the errors of AlexNet by Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261), six digits as in
#: AugMix's evaluation (arXiv:1912.02781); the clean error as in robustness_metrics of Google Research.
ALEXNET = Reference(
    "alexnet-HD19",
    {
        "gaussian_noise": 0.886428,
        "shot_noise": 0.894468,
        "impulse_noise": 0.922640,
        "defocus_blur": 0.819880,
        "glass_blur": 0.826268,
        "motion_blur": 0.785948,
        "zoom_blur": 0.798360,
        "snow": 0.866816,
        "frost": 0.826572,
        "fog": 0.819324,
        "brightness": 0.564592,
        "contrast": 0.853204,
        "elastic_transform": 0.646056,
        "pixelate": 0.717840,
        "jpeg_compression": 0.606500,
    },
    clean_error=0.4348,
)


def reference_of(dataset: str) -> Reference | None:
    """Return the reference model of a data set, or None if it has none.

    >>> reference_of("imagenet").name, reference_of("image_folder")
    ('alexnet-HD19', None)

    Args:
        dataset: Name of the data set whose images are corrupted.

    Raises:
        DataError: If the file of the embedded data set's reference is damaged.
    """
    if dataset == "imagenet":
        return ALEXNET
    return read_reference(EMBEDDED) if dataset == "fashion" and EMBEDDED.is_file() else None


@cache
def read_reference(path: Path) -> Reference:
    """Read a reference from a file.

    Args:
        path: JSON with ``name``, ``clean_error`` and ``errors``: corruption -> one error per severity.

    Raises:
        DataError: If the file has another content.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        per_severity = {name: [float(error) for error in errors] for name, errors in found["errors"].items()}
        if any(len(errors) != len(SEVERITIES) for errors in per_severity.values()):
            raise ValueError(f"expected {len(SEVERITIES)} errors of each corruption")
        errors = {name: fmean(errors) for name, errors in per_severity.items()}
        return Reference(str(found["name"]), errors, float(found["clean_error"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"expected the errors of a reference model in {path}, found: {error}; make the file again"
        ) from error
