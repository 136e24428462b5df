"""95 % intervals of means over images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

OVER_IMAGES = "95%, over images"


def interval_of(per_image: NDArray[Any]) -> dict[str, Any]:
    """Return ``ci_low``, ``ci_high`` and ``ci_method`` of the mean of `per_image`.

    Args:
        per_image: Booleans, for Wilson's interval of a fraction; or numbers, for the normal interval of a
            mean. Shape ``(N,)``.
    """
    if per_image.dtype == bool:
        low, high = _wilson(int(per_image.sum()), len(per_image))
        return {"ci_low": low, "ci_high": high, "ci_method": f"wilson {OVER_IMAGES}"}
    deviation = float(np.std(per_image, ddof=1)) if len(per_image) > 1 else 0.0
    if deviation == 0:
        return {}  # the spread of one image is unknown, not zero
    mean, half = float(per_image.mean()), 1.959964 * deviation / math.sqrt(len(per_image))
    return {"ci_low": mean - half, "ci_high": mean + half, "ci_method": f"normal {OVER_IMAGES}"}


def _wilson(count: int, n: int) -> tuple[float, float]:
    """Return the ends of Wilson's 95 % interval of a fraction; `scipy.stats` takes half a second to import.

    Raises:
        ValueError: If there are no images.

    Source:
        Newcombe, Two-sided confidence intervals for the single proportion, 1998, method 3.
    """
    if n == 0:
        raise ValueError("expected a value of at least one image, found no images")
    z, share = float(special.ndtri(0.975)), count / n
    scale = 2 * (n + z**2)
    middle = (2 * n * share + z**2) / scale
    half = z / scale * math.sqrt(4 * n * share * (1 - share) + z**2)
    return 0.0 if count == 0 else middle - half, 1.0 if count == n else middle + half
