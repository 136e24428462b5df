"""How a model is trained: every setting that a training job takes. No torch here."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lsbench.core.job import JobSpec
from lsbench.data.augment import Augment


class Recipe(JobSpec):
    """Settings of a training.

    The budget is counted in images (``epochs`` times the training split), never in seconds: a busy
    machine must not change a result.
    """

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"data_workers"})

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=1)
    lr: float = Field(default=2e-3, gt=0, description="peak learning rate of AdamW at this batch size")
    min_lr: float = Field(default=1e-5, ge=0)
    warmup_epochs: float = Field(default=1.0, ge=0)
    warmup_lr: float = Field(default=1e-6, ge=0)
    weight_decay: float = Field(default=0.05, ge=0, description="not applied to 1-D parameters and biases")
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="label smoothing")
    augment: Augment = Augment()
    precision: Literal["fp32"] = "fp32"
    channels_last: bool = False
    validate_every: int = Field(default=1, ge=0, description="epochs between validations; 0: only at the end")
    data_workers: int = Field(default=0, ge=0, description="loader processes; changes no result")

    def validates_after(self, epoch: int) -> bool:
        """Return whether the model is validated after `epoch` (counted from 0)."""
        is_last = epoch + 1 == self.epochs
        return is_last or (self.validate_every > 0 and (epoch + 1) % self.validate_every == 0)
