"""Top-1 accuracy: the most likely class is the true one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsbench.core.quantity import percentage

if TYPE_CHECKING:
    from torch import Tensor


def top1(logits: Tensor, targets: Tensor) -> Tensor:
    """Return for each image whether its most likely class is the true one.

    Args:
        logits: Shape ``(N, K)``.
        targets: True classes, shape ``(N,)``.

    Returns:
        Booleans, shape ``(N,)``.
    """
    return logits.argmax(dim=1) == targets


QUANTITIES = (percentage("top1", "top-1", is_headline=True, is_compared=True, is_per_image=True),)

METRIC = top1
