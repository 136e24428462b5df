"""Brier score: squared distance of the predicted probabilities from the truth.

Source:
    Brier, Verification of forecasts expressed in terms of probability, 1950.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsbench.core.quantity import Quantity

if TYPE_CHECKING:
    from torch import Tensor

QUANTITIES = (Quantity("brier", "ratio", False, "Brier score", digits=3),)


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the squared distance of each image, 0 to 2.

    Args:
        logits: Shape ``(N, K)``.
        targets: True classes, shape ``(N,)``.
    """
    from torch.nn.functional import one_hot

    truth = one_hot(targets, logits.shape[1])
    distance: Tensor = (logits.softmax(dim=1) - truth).square().sum(dim=1)
    return distance


METRIC = brier
