"""Restrict predictions to some classes: the whole head, or the classes that a test set has images of.

Shapes: B images of a batch, K classes of the model, S classes of a subset, L correct classes of an
image at most.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Head:
    """The classes that may be predicted.

    Positions in the head run from 0 to S - 1 in the order of the subset, or over all of the
    model's classes.
    """

    def __init__(self, subset: tuple[int, ...] | None, device: str) -> None:
        """Choose the classes.

        Args:
            subset: Class indices in the model's output; ``None`` for all.
            device: The model's device.
        """
        self._index = None if subset is None else torch.tensor(subset, device=device)

    def cut(self, logits: Tensor) -> Tensor:
        """Return the subset's logits ``(B, S)`` from logits ``(B, K)``."""
        return logits if self._index is None else logits[:, self._index]

    def targets(self, labels: Tensor, cut: Tensor) -> Tensor:
        """Return one correct class of each image, ``(B,)``; of several, the one predicted most likely.

        So for any metric an image counts as correct if the prediction is any of its correct classes.

        Args:
            labels: The model's classes: one for each image, ``(B,)``, or all that are correct, padded with
                -1, ``(B, L)``.
            cut: Result of :meth:`cut` for the images.

        Raises:
            ValueError: If an image has no correct class in the subset.
        """
        answers = labels[:, None] if labels.ndim == 1 else labels
        found = answers if self._index is None else _positions(answers, self._index)
        if bool((found < 0).all(dim=1).any()):
            raise ValueError("an image's class is not among those that its data set names as its subset")
        likely = cut.gather(1, found.clamp(min=0)).masked_fill(found < 0, -torch.inf)
        return found.gather(1, likely.argmax(dim=1, keepdim=True)).squeeze(1)

    def classes(self, inside: Tensor) -> Tensor:
        """Return the model's classes for positions in the head."""
        return inside if self._index is None else self._index[inside]


def _positions(answers: Tensor, subset: Tensor) -> Tensor:
    """Return the positions of classes ``(B, L)`` in the subset ``(S,)``, -1 for those outside it."""
    is_same = answers[:, :, None].eq(subset)
    positions = is_same.to(torch.uint8).argmax(dim=2)
    return positions.masked_fill(~is_same.any(dim=2), -1)
