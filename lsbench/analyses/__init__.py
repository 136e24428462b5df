"""Analyses give insight: one file each, with its arrays, its numbers and its picture.

A file assigns to ``ANALYSIS`` an :class:`Analysis`. Planning and reports import it for its declarations, so
it imports torch only inside functions.

Shapes: N images, H, W plane; M masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lsbench.core.errors import ConfigError
from lsbench.core.panel import ModelPanel
from lsbench.core.quantity import Quantity
from lsbench.core.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from lsbench.data.drawn_images import DrawnImage
    from lsbench.models.downstream.model import DownstreamModel

    Arrays = Mapping[str, NDArray[Any]]
    Draw = Callable[[Arrays, Figure, str], None]
    Compose = Callable[[Sequence[ModelPanel], Figure], None]

__all__ = [
    "Analysis",
    "DownstreamSubject",
    "Findings",
    "ModelPanel",
    "NotApplicableError",
    "Subject",
    "draws_one",
    "finding",
]


def finding(name: str, unit: str, title: str, **more: Any) -> Quantity:
    """Return the quantity of a number from an analysis; neither direction is better."""
    return Quantity(name, unit, None, title, hole="does not apply", **more)


def draws_one(compose: Compose) -> Draw:
    """Return the `draw` of an analysis whose picture of one model is a composition of one panel."""

    def draw(arrays: Arrays, figure: Figure, title: str) -> None:
        compose([ModelPanel(title, arrays)], figure)

    return draw


class NotApplicableError(ConfigError):
    """The model lacks the module that this analysis needs."""


def _ignore(done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Subject:
    """The input of an analysis.

    Attributes:
        model: The model, in evaluation mode.
        images: Normalised images, shape (N, 3, H, W), on the model's device.
        pictures: The same images for display: RGB in [0, 1], shape (N, H, W, 3).
        masks: Pixels of the object, shape (N, H, W); None if unknown.
        batch_size: Images per batch.
        other: A second model on the same device, for analyses that compare two.
        title: Name of the model, for display.
        other_title: Name of the second model.
        on_step: Receives the number of images done and the total.
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
        """Yield the images batch by batch, and report the number done after each.

        Args:
            least: Smallest batch; a smaller one is left out.
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
class DownstreamSubject:
    """The input of an analysis of a detector or segmenter.

    Attributes:
        model: The detector or segmenter, in evaluation mode.
        images: The images; each is read when it is asked for.
        classes: Names of the classes.
        device: The model's device.
        shown: Places of the images that are drawn.
        on_step: Receives the number of images done and the total.
    """

    model: DownstreamModel
    images: Sequence[DrawnImage]
    classes: tuple[str, ...]
    device: str = "cpu"
    shown: Sequence[int] = ()
    on_step: Callable[[int, int], None] = _ignore

    def predictions(self) -> Iterator[tuple[DrawnImage, dict[str, NDArray[Any]]]]:
        """Yield each image with what the model finds in it, in pixels of its picture.

        That is ``boxes`` (M, 4) as x1 y1 x2 y2, ``scores``, ``labels`` from 0 and perhaps ``masks`` (M, H, W)
        of a detector, and ``label_map`` (H, W) of a segmenter.
        """
        from lsbench.data.loading.keep_ratio import pad_and_stack

        for done, one in enumerate(self.images, 1):
            batch = pad_and_stack([one.image]).to(self.device)
            height, width = one.image.shape[-2:]
            (found,) = self.model.predict(batch, [(height, width)], [one.picture.shape[:2]])
            yield one, {name: value.cpu().numpy() for name, value in found.items()}
            self.on_step(done, len(self.images))


@dataclass(frozen=True)
class Findings:
    """The results of an analysis.

    Attributes:
        arrays: All arrays that its picture is drawn from, by name.
        numbers: Metric -> value.
        per_image: Metric -> a value per image, shape (N,); their mean is the number.
    """

    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, float] = field(default_factory=dict)
    per_image: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """One analysis of a model.

    Attributes:
        analyse: Computes the results; raises :class:`NotApplicableError` if the model lacks what it needs.
        draw: Draws the arrays, with a title, into an empty figure of one column's width.
        quantities: All numbers that it may return; the file's ``QUANTITIES``.
        version: Raised whenever the same model and images would give another number.
        is_of_two: Whether it compares with a second model if one is given.
        is_of_batches: Whether its numbers depend on the batch size.
        compose: Draws several models side by side into an empty figure, with one scale for all panels, and
            sets the figure's size; None if it cannot.
        figure: The number of the paper's figure that `compose` draws.
        task: The task of the models: of classifiers it gets a :class:`Subject`, of detectors or segmenters a
            :class:`DownstreamSubject`.
    """

    analyse: Callable[[Any], Findings]
    draw: Draw
    quantities: tuple[Quantity, ...]
    version: int = 1
    is_of_two: bool = False
    is_of_batches: bool = False
    compose: Compose | None = None
    figure: int | None = None
    task: Task = "classification"
