"""Probes measure cost: one file each.

A file assigns to ``PROBE`` a function of the model, the image size and the job that returns records, or a
:class:`Probe`, which has more fields. Planning imports it, so it imports torch only inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from lsbench.core.job import JobContext
    from lsbench.core.record import Record
    from lsbench.timing.image_size import ImageSize

    Measure = Callable[[nn.Module, ImageSize, JobContext], Sequence[Record]]

__all__ = ["Probe", "as_probe"]


def _no_images(spec: Any) -> int:
    """Return 0."""
    return 0


def _a_second(spec: Any, macs: float, limit: int | None) -> float:
    """Return 1."""
    return 1.0


@dataclass(frozen=True)
class Probe:
    """One measurement of a model's cost.

    Attributes:
        measure: Measures a model: a function of the model, the size of its images (the side of square
            ones, or height and width), and the job.
        images: Approximate number of images that go through the model, given the job's settings; for
            planning.
        seconds: Most seconds that it takes, given the job's settings, MACs per image, and the run's limit.
        has_control: Whether it compares the model with the control named in the job's settings.
        companion: The probe that follows this one if a control is named.
    """

    measure: Measure
    images: Callable[[Any], int] = _no_images
    seconds: Callable[[Any, float, int | None], float] = _a_second
    has_control: bool = False
    companion: str | None = None

    def __call__(self, model: nn.Module, img_size: ImageSize, context: JobContext) -> Sequence[Record]:
        """Measure a model, so that a probe can be called like a function."""
        return self.measure(model, img_size, context)


def as_probe(offered: Probe | Measure) -> Probe:
    """Return the ``PROBE`` of a file as a :class:`Probe`."""
    return offered if isinstance(offered, Probe) else Probe(offered)
