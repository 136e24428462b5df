"""The learning rate at every update of a training: timm's cosine schedule with warm-up."""

from __future__ import annotations

import torch
from timm.scheduler import CosineLRScheduler

from lsbench.engine.recipe import Recipe


class Schedule:
    """Sets the learning rate of an optimizer; its only state is the number of the update."""

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: Recipe, *, steps: int, total: int) -> None:
        """Prepare the schedule of a training.

        With ``lr_step: update``, warm-up is part of the budget and the cosine follows it. With steps per
        epoch, the cosine counts from the first epoch, as in timm's default and in the authors' trainings.

        Args:
            optimizer: The learning rates of its groups are set.
            recipe: The settings.
            steps: Updates per epoch.
            total: Updates of the whole training.
        """
        self._optimizer, self._steps = optimizer, steps
        self._is_late = recipe.lr_step == "epoch_late"
        self._by_epoch = recipe.lr_step != "update"
        warmup = min(round(recipe.warmup_epochs * steps), total - 1)
        by_epoch = self._by_epoch
        self._scheduler = CosineLRScheduler(
            optimizer,
            t_initial=recipe.epochs if by_epoch else total - warmup,
            lr_min=recipe.min_lr,
            warmup_t=round(recipe.warmup_epochs) if by_epoch else warmup,
            warmup_lr_init=recipe.warmup_lr,
            warmup_prefix=not by_epoch,
            t_in_epochs=by_epoch,
        )

    def set_rate(self, update: int, *, scale: float = 1.0) -> float:
        """Set and return the learning rate of an update.

        Args:
            update: Number of the update in the whole training, from 0.
            scale: Factor on the scheduled rate.
        """
        if self._by_epoch:
            epoch = update // self._steps
            self._scheduler.step(max(epoch - 1, 0) if self._is_late else epoch)
        else:
            self._scheduler.step_update(update)
        for group in self._optimizer.param_groups:
            group["lr"] *= scale
        return float(self._optimizer.param_groups[0]["lr"])
