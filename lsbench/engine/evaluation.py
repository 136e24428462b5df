"""The settings that all jobs share which test a model: whose weights, and how images are fed to it.

The planning half reads this module, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from lsbench.core.job import JobSpec

Weights = Literal["last", "ema", "pretrained"]


class EvaluationSpec(JobSpec):
    """Whose weights are tested, and how images are fed to the model."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"data_workers"})
    later_fields: ClassVar[frozenset[str]] = frozenset({"weights"})

    weights: Weights = Field(
        default="last",
        description="of the training: those after the last update, or their moving average; pretrained: no "
        "training, those that the variant's model_args name (checkpoint, or pretrained: true)",
    )
    batch_size: int = Field(default=256, ge=1, description="images that go through the model at a time")
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    data_workers: int = Field(default=0, ge=0, description="loader processes; changes no result")

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return no kind for pretrained weights: nothing is trained."""
        return () if settings.get("weights") == "pretrained" else usual

    def check_need(self, need: JobSpec) -> None:
        """Raise a ValueError if the moving average is to be tested of a training that keeps none."""
        if self.weights == "ema" and getattr(need, "ema_decay", 0.0) is None:
            raise ValueError("the training keeps no moving average: set its ema_decay")
