"""The learning rate at every update of a training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from timm.scheduler import CosineLRScheduler

from lsbench.engine.rates import Cosine, Poly, Steps
from lsbench.engine.training_spec import TrainingSpec

Rate = Callable[[int], float]


class Schedule:
    """Sets the learning rate of an optimizer; its only state is the number of the update."""

    def __init__(
        self, optimizer: torch.optim.Optimizer, recipe: TrainingSpec, *, steps: int, total: int
    ) -> None:
        """Prepare the schedule of a training.

        Args:
            optimizer: The learning rates of its groups are set; they start at the recipe's peak.
            recipe: The settings.
            steps: Updates per epoch.
            total: Updates of the whole training.
        """
        self._optimizer, self._warm_up = optimizer, recipe.warm_up
        kind = recipe.rate_schedule
        if isinstance(kind, Cosine):
            self._rate = _cosine(optimizer, kind, epochs=recipe.epochs_of(steps), steps=steps, total=total)
        else:
            self._rate = _plain(kind, recipe.peak_lr, steps=steps, total=total)

    def set_rate(self, update: int, *, scale: float = 1.0) -> float:
        """Set and return the learning rate of an update.

        Args:
            update: Number of the update in the whole training, from 0.
            scale: Factor on the scheduled rate.
        """
        rate = self._rate(update) * scale
        if self._warm_up is not None:
            rate *= self._warm_up.factor(update)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate


def _plain(kind: Steps | Poly, peak: float, *, steps: int, total: int) -> Rate:
    if isinstance(kind, Steps):
        return lambda update: kind.rate(peak, update=update, steps=steps)
    return lambda update: kind.rate(peak, update=update, total=total)


def _cosine(optimizer: torch.optim.Optimizer, kind: Cosine, *, epochs: int, steps: int, total: int) -> Rate:
    """Return timm's schedule; it sets the optimizer's rates, which all groups share."""
    by_epoch = kind.lr_step != "update"
    warmup = min(round(kind.warmup_epochs * steps), total - 1)
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=epochs if by_epoch else total - warmup,
        lr_min=kind.min_lr,
        warmup_t=round(kind.warmup_epochs) if by_epoch else warmup,
        warmup_lr_init=kind.warmup_lr,
        warmup_prefix=not by_epoch,
        t_in_epochs=by_epoch,
    )

    def rate(update: int) -> float:
        if by_epoch:
            epoch = update // steps
            scheduler.step(max(epoch - 1, 0) if kind.lr_step == "epoch_late" else epoch)
        else:
            scheduler.step_update(update)
        return float(optimizer.param_groups[0]["lr"])

    return rate
