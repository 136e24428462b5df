"""Which classes a model may answer with: all of its head, or only those that a test set has images of.

Shapes: B images of a batch, K classes of the model, S classes of a subset, L most right answers of an image.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Head:
    """The classes among which an answer is looked for.

    Inside, classes are counted from 0 to S - 1 in the order of the subset; without one, as the model does.
    """

    def __init__(self, subset: tuple[int, ...] | None, device: str) -> None:
        """Choose the classes.

        Args:
            subset: Their indices in the model's answer; ``None`` for all.
            device: Where the model is.
        """
        self._index = None if subset is None else torch.tensor(subset, device=device)

    def cut(self, logits: Tensor) -> Tensor:
        """Return the logits ``(B, S)`` of the subset, of logits ``(B, K)``."""
        return logits if self._index is None else logits[:, self._index]

    def targets(self, labels: Tensor, cut: Tensor) -> Tensor:
        """Return one right class of each image, ``(B,)``; of several, the one that is found most likely.

        So an image counts as right for any metric if the model's answer is any of the right ones.

        Args:
            labels: The model's classes: one of each image, ``(B,)``, or all that are right, filled up
                with -1, ``(B, L)``.
            cut: What :meth:`cut` gives for the images.

        Raises:
            ValueError: If an image has no right class in the subset.
        """
        answers = labels[:, None] if labels.ndim == 1 else labels
        found = answers if self._index is None else _positions(answers, self._index)
        if bool((found < 0).all(dim=1).any()):
            raise ValueError("an image's class is not among those that its data set names as its subset")
        likely = cut.gather(1, found.clamp(min=0)).masked_fill(found < 0, -torch.inf)
        return found.gather(1, likely.argmax(dim=1, keepdim=True)).squeeze(1)

    def classes(self, inside: Tensor) -> Tensor:
        """Return the model's classes for classes as they are counted inside."""
        return inside if self._index is None else self._index[inside]


def _positions(answers: Tensor, subset: Tensor) -> Tensor:
    """Return the positions of classes ``(B, L)`` in the subset ``(S,)``, -1 for those that it lacks."""
    is_same = answers[:, :, None].eq(subset)
    positions = is_same.to(torch.uint8).argmax(dim=2)
    return positions.masked_fill(~is_same.any(dim=2), -1)
