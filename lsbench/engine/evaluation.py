"""Settings shared by all jobs that test a model: its weights, and the feeding of images.

The planning half reads this module, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from lsbench.core.job import JobSpec

Weights = Literal["last", "ema", "pretrained", "fresh"]


class EvaluationSpec(JobSpec):
    """Settings of the tested weights and of feeding images to the model."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"data_workers"})
    later_fields: ClassVar[frozenset[str]] = frozenset({"weights"})

    weights: Weights = Field(
        default="last",
        description="of the training: after the last update, or the moving average; pretrained: no "
        "training, the weights named in the variant's model_args (checkpoint, or pretrained: true); fresh: "
        "no training, random weights of the seed",
    )
    batch_size: int = Field(default=256, ge=1, description="images per batch")
    channels_last: bool = Field(default=False, description="memory layout of images and weights")
    data_workers: int = Field(default=0, ge=0, description="loader processes; changes no result")

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return no kind for pretrained and fresh weights: no training is needed."""
        return () if settings.get("weights") in ("pretrained", "fresh") else usual

    def check_need(self, need: JobSpec) -> None:
        """Raise a ValueError if the moving average is to be tested but the training keeps none."""
        if self.weights == "ema" and getattr(need, "ema_decay", 0.0) is None:
            raise ValueError("the training keeps no moving average: set its ema_decay")
