"""Metrics measure quality: one file each.

A file offers as ``METRIC`` a function of ``(logits, targets)`` that gives one value per image, whose mean is
the metric, or a :class:`Metric`, which can have another summary or look at attacked images.

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
    """Return the mean of the values of all images."""
    return float(values.mean())


@dataclass(frozen=True)
class Metric:
    """What is found of each image, and how a number is made of it.

    Attributes:
        per_image: Function of logits ``(N, K)`` and targets ``(N,)`` giving a value, or a row of values, for
            each image: shape ``(N, ...)``.
        aggregate: Makes the metric of the values of all images.
        attack: If given, changes the images before `per_image` sees what the model says of them: a function
            of the model (images to logits), the images and their targets, with ``mean`` and ``std`` of the
            normalisation that the images went through by name. It is called with gradients enabled.
        passes: The attack's work in forward passes.
    """

    per_image: PerImage
    aggregate: Callable[[NDArray[Any]], float] = mean_over_images
    attack: Attack | None = None
    passes: float = 0.0

    def for_images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Metric:
        """Return the metric for images that were normalised with `mean` and `std`."""
        return self if self.attack is None else replace(self, attack=partial(self.attack, mean=mean, std=std))


def as_metric(offered: Metric | PerImage) -> Metric:
    """Return what a file offers as a :class:`Metric`."""
    return offered if isinstance(offered, Metric) else Metric(offered)
