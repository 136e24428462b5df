"""95 % intervals of means over images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

OVER_IMAGES = "95%, over images"


def interval_of(per_image: NDArray[Any]) -> dict[str, Any]:
    """Return ``ci_low``, ``ci_high`` and ``ci_method`` of the mean of `per_image`.

    Args:
        per_image: Booleans, for Wilson's interval of a fraction; or numbers, for the normal interval of a
            mean. Shape ``(N,)``.
    """
    if per_image.dtype == bool:
        from scipy.stats import binomtest

        found = binomtest(int(per_image.sum()), len(per_image)).proportion_ci(method="wilson")
        return {
            "ci_low": float(found.low),
            "ci_high": float(found.high),
            "ci_method": f"wilson {OVER_IMAGES}",
        }
    deviation = float(np.std(per_image, ddof=1)) if len(per_image) > 1 else 0.0
    if deviation == 0:
        return {}  # the spread of one image is unknown, not zero
    mean, half = float(per_image.mean()), 1.959964 * deviation / math.sqrt(len(per_image))
    return {"ci_low": mean - half, "ci_high": mean + half, "ci_method": f"normal {OVER_IMAGES}"}
