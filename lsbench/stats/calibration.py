"""How well a model's confidence is its accuracy, in bins of equal width.

Source:
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, eq. 3 and figure 1.

Shapes: N images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15


def reliability(confidence: NDArray[np.floating], is_right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each bin its image count, and the sums of their confidences and of correct predictions.

    A bin holds confidences above its lower edge, up to and including its upper edge.

    Args:
        confidence: Probability of the prediction, shape ``(N,)``.
        is_right: Whether the prediction is correct, shape ``(N,)``.

    Returns:
        Shape ``(15, 3)``.
    """
    sure = confidence.astype(np.float64)
    bins = np.digitize(sure, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    parts = (np.ones(len(sure)), sure, is_right)
    return np.stack([np.bincount(bins, weights=part, minlength=BINS) for part in parts], axis=1)


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the expected calibration error, a fraction, from the bins of :func:`reliability`."""
    counts, sure, right = bins.T
    return float(np.abs(right - sure).sum() / counts.sum())
