"""Top-5 accuracy: the true class is among the five most likely ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsbench.core.quantity import percentage

if TYPE_CHECKING:
    from torch import Tensor


def top5(logits: Tensor, targets: Tensor) -> Tensor:
    """Return for each image whether the true class is among the five most likely ones.

    Args:
        logits: Shape ``(N, K)``; with fewer than five classes every image counts as correct.
        targets: True classes, shape ``(N,)``.

    Returns:
        Booleans, shape ``(N,)``.
    """
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    return (best == targets[:, None]).any(dim=1)


QUANTITIES = (percentage("top5", "top-5", is_per_image=True),)

METRIC = top5
