"""Metrics measure quality: one file each.

A file assigns to ``METRIC`` a function of ``(logits, targets)`` that returns one value per image, whose mean
is the metric, or a :class:`Metric`, which can have another summary or use attacked images.

Shapes: N images, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    PerImage = Callable[[Tensor, Tensor], Tensor]
    Attack = Callable[..., Tensor]

__all__ = ["Metric", "as_metric"]


def mean_over_images(values: NDArray[Any]) -> float:
    """Return the mean of the values over all images."""
    return float(values.mean())


@dataclass(frozen=True)
class Metric:
    """Values per image, and a summary of them.

    Attributes:
        per_image: Function of logits ``(N, K)`` and targets ``(N,)`` that returns a value, or a row of
            values, for each image: shape ``(N, ...)``.
        aggregate: Computes the metric from the values of all images.
        attack: If given, changes the images before the model predicts them: a function of the model (images
            to logits), the images and their targets, and the keywords ``mean`` and ``std`` of the images'
            normalisation. It is called with gradients enabled.
        passes: The cost of the attack in forward passes.
    """

    per_image: PerImage
    aggregate: Callable[[NDArray[Any]], float] = mean_over_images
    attack: Attack | None = None
    passes: float = 0.0

    def for_images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Metric:
        """Return the metric for images that were normalised with `mean` and `std`."""
        return self if self.attack is None else replace(self, attack=partial(self.attack, mean=mean, std=std))


def as_metric(offered: Metric | PerImage) -> Metric:
    """Return the ``METRIC`` of a file as a :class:`Metric`."""
    return offered if isinstance(offered, Metric) else Metric(offered)
