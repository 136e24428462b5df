"""Analyses give insight: one file each, with its arrays, its numbers and its picture.

A file offers as ``ANALYSIS`` an :class:`Analysis`. Plans and reports import it to learn what there is, so it
imports torch only inside functions.

Shapes: N images, H, W plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lsbench.core.errors import ConfigError
from lsbench.core.quantity import Quantity

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Arrays = Mapping[str, NDArray[Any]]

__all__ = ["Analysis", "Findings", "NotApplicableError", "Subject", "finding"]


def finding(name: str, unit: str, title: str, **more: Any) -> Quantity:
    """Return the quantity of a number that an analysis finds: neither end of it is better."""
    return Quantity(name, unit, None, title, hole="does not apply", **more)


class NotApplicableError(ConfigError):
    """The model has not what the analysis looks at."""


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Subject:
    """What is analysed.

    Attributes:
        model: The model, in evaluation mode.
        images: Normalised images, shape (N, 3, H, W), on the model's device.
        pictures: The same for people: RGB in [0, 1], shape (N, H, W, 3).
        masks: Where the object is, shape (N, H, W); None where nobody knows.
        batch_size: Images that go through the model at a time.
        other: A second model on the same device, for analyses that compare two.
        title: What the model is called.
        other_title: What the second one is called.
        on_step: Is told how many images of how many are done.
    """

    model: nn.Module
    images: Tensor
    pictures: NDArray[np.float32]
    masks: NDArray[np.bool_] | None = None
    batch_size: int = 10
    other: nn.Module | None = None
    title: str = "model"
    other_title: str = ""
    on_step: Callable[[int, int], None] = _ignore

    def batches(self, least: int = 1) -> Iterator[Tensor]:
        """Yield the images batch by batch, and tell after each how many are done.

        Args:
            least: A batch of fewer images is left out.
        """
        starts = range(0, len(self.images), self.batch_size)
        batches = [self.images[start : start + self.batch_size] for start in starts]
        batches = [batch for batch in batches if len(batch) >= least]
        total, done = sum(map(len, batches)), 0
        for batch in batches:
            yield batch
            done += len(batch)
            self.on_step(done, total)


@dataclass(frozen=True)
class Findings:
    """What an analysis has found.

    Attributes:
        arrays: All that its picture is drawn from, by name.
        numbers: Metric -> value.
        per_image: Metric -> a value for each image, shape (N,); their mean is the number.
    """

    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, float] = field(default_factory=dict)
    per_image: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """One way to look into a model.

    Attributes:
        analyse: Looks; raises :class:`NotApplicableError` where there is nothing to look at.
        draw: Draws the arrays, with a title, into an empty figure.
        quantities: All numbers that it may give; the file's ``QUANTITIES``.
        version: Raised whenever the same model and images would give another number.
        is_of_two: Whether it looks at a second model too where one is given.
        is_of_batches: Whether its numbers depend on how many images go through the model at a time.
    """

    analyse: Callable[[Subject], Findings]
    draw: Callable[[Arrays, Figure, str], None]
    quantities: tuple[Quantity, ...]
    version: int = 1
    is_of_two: bool = False
    is_of_batches: bool = False
