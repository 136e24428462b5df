"""Kinds of learning-rate schedules, as recipes choose them. No torch here.

A schedule gives the rate of every update; a warm-up in updates lowers the first ones, whatever the schedule.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lsbench.core.spec import StrictModel


class Cosine(StrictModel):
    """Half a cosine, as timm has it, with a warm-up of its own in epochs.

    With ``lr_step: update``, warm-up is part of the budget and the cosine follows it. With steps per epoch,
    the cosine counts from the first epoch, as in timm's default and in the authors' trainings.
    """

    kind: Literal["cosine"] = Field(default="cosine", description="half a cosine")
    min_lr: float = Field(default=1e-5, ge=0, description="learning rate at the end of the cosine")
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs in which the rate rises linearly")
    warmup_lr: float = Field(default=1e-6, ge=0, description="learning rate at the start of the warmup")
    lr_step: Literal["update", "epoch", "epoch_late"] = Field(
        default="update", description="when the learning rate changes; epoch_late: one epoch late"
    )


class Steps(StrictModel):
    """Steps down after some epochs."""

    kind: Literal["steps"] = Field(default="steps", description="steps down after some epochs")
    epochs: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, description="epochs after which the rate falls, ascending"
    )
    factor: float = Field(default=0.1, gt=0, lt=1, description="what the rate is multiplied by at each step")

    @model_validator(mode="after")
    def _ascend(self) -> Steps:
        if list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError(f"epochs: expected ascending epochs, found {list(self.epochs)}")
        return self

    def rate(self, peak: float, *, update: int, steps: int) -> float:
        """Return the rate of an update, counted from 0.

        >>> [round(Steps(epochs=(8, 11)).rate(1.0, update=epoch, steps=1), 6) for epoch in (7, 8, 10, 11)]
        [1.0, 0.1, 0.1, 0.01]

        Args:
            peak: The rate before the first step.
            update: The update.
            steps: Updates per epoch.
        """
        falls: int = bisect_right([epoch * steps for epoch in self.epochs], update)
        return float(peak * self.factor**falls)


class Poly(StrictModel):
    """A power of the share of updates that are left."""

    kind: Literal["poly"] = Field(default="poly", description="a power of the share of updates that are left")
    power: float = Field(default=0.9, gt=0, description="exponent of the share of updates that are left")
    min_lr: float = Field(default=0.0, ge=0, description="the rate that it falls to")

    def rate(self, peak: float, *, update: int, total: int) -> float:
        """Return the rate of an update, counted from 0.

        >>> Poly(power=1.0).rate(1.0, update=30, total=40)
        0.25

        Args:
            peak: The rate at the start.
            update: The update.
            total: Updates of the whole training.
        """
        return float((peak - self.min_lr) * (1 - update / total) ** self.power + self.min_lr)


class LinearRise(StrictModel):
    """A linear rise over the first updates, as a factor on the schedule's rate."""

    updates: int = Field(ge=1, description="updates in which the rate rises linearly")
    start_factor: float = Field(
        default=0.001, gt=0, le=1, description="factor on the rate of the first update"
    )

    def factor(self, update: int) -> float:
        """Return the factor on the rate of an update, counted from 0.

        >>> [LinearRise(updates=4, start_factor=0.5).factor(update) for update in (0, 2, 4, 9)]
        [0.5, 0.75, 1.0, 1.0]
        """
        if update >= self.updates:
            return 1.0
        return 1 - (1 - update / self.updates) * (1 - self.start_factor)


RateSchedule = Annotated[Cosine | Steps | Poly, Field(discriminator="kind")]
