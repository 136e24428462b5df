"""Expected calibration error: the distance between a model's confidence and its accuracy.

Source:
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, eq. 3, with 15 bins of
    equal width as in its experiments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsbench.core.quantity import Quantity
from lsbench.metrics import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

BINS = 15


def confidence_and_right(logits: Tensor, targets: Tensor) -> Tensor:
    """Return for each image the probability of its most likely class, and 1 if that is the true one.

    Args:
        logits: Shape ``(N, K)``.
        targets: True classes, shape ``(N,)``.

    Returns:
        Shape ``(N, 2)``.
    """
    import torch

    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    return torch.stack([confidence, (predicted == targets).to(confidence.dtype)], dim=1)


def expected_calibration_error(values: NDArray[Any]) -> float:
    """Return the mean over bins of |accuracy - confidence|, each bin weighted by its share of the images.

    A bin holds confidences above its lower edge, up to and including its upper edge.

    Args:
        values: Confidence and whether the prediction was correct, shape ``(N, 2)``.
    """
    import numpy as np

    confidence, is_right = values.astype(np.float64).T
    upper_edges = np.linspace(0, 1, BINS + 1)[1:-1]
    bins = np.digitize(confidence, upper_edges, right=True)
    gaps = np.bincount(bins, weights=is_right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(values))


QUANTITIES = (Quantity("ece", "fraction", False, "ECE (%)", 100.0, is_headline=True),)

METRIC = Metric(confidence_and_right, expected_calibration_error)
