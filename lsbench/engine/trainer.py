"""Train a classifier: AdamW, cosine schedule with warm-up, a checkpoint after every epoch.

All randomness of an epoch follows from (seed, epoch), so a training that is stopped and continued
from its last checkpoint gives the same weights as one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import Tensor, nn

from lsbench.core.errors import DataError
from lsbench.engine import checkpoint
from lsbench.engine.process import seed_everything
from lsbench.engine.recipe import Recipe

EMIT_EVERY_S = 0.5


class EpochLoader(Protocol):
    """Batches of one epoch, as a pure function of (seed, epoch)."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""

    def __len__(self) -> int:
        """Return the number of steps of an epoch."""

    def __iter__(self) -> Any:
        """Iterate over (images, targets)."""


@dataclass
class Progress:
    """How far a training is; stored with every checkpoint.

    Attributes:
        epoch: Epochs finished.
        history: One entry per finished epoch: mean training loss, learning rate, validation top-1.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One training, from the first epoch or from the last checkpoint to the end."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        loader: EpochLoader,
        *,
        folder: Path,
        seed: int,
        device: str = "cpu",
        limit: int | None = None,
    ) -> None:
        """Prepare a training and take over the last checkpoint in `folder`, if there is one.

        Args:
            model: Maps images to logits; moved to `device`.
            recipe: The settings.
            loader: The training split.
            folder: The job's folder; checkpoints go to ``checkpoints/`` in it.
            seed: Seed of everything random.
            device: ``"cpu"`` or ``"cuda"``.
            limit: Stop after this many steps in all, or None.

        Raises:
            DataError: If the training split holds less than one batch.
        """
        self.recipe, self.loader, self.folder, self.seed, self.device = recipe, loader, folder, seed, device
        self.memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.model = model.to(device).to(memory_format=self.memory_format)
        if len(loader) == 0:
            raise DataError(f"the training split holds less than one batch of {recipe.batch_size} images")
        self.steps = len(loader)
        whole = recipe.epochs * self.steps
        self.total = whole if limit is None else min(limit, whole)
        self.epochs = math.ceil(self.total / self.steps)
        self.optimizer = create_optimizer_v2(
            self.model, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self.scheduler = _create_scheduler(self.optimizer, recipe, steps=self.steps, total=self.total)
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
        self.progress = Progress()
        self._resume()

    def _resume(self) -> None:
        state = checkpoint.load(self.folder / checkpoint.LAST, device=self.device)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(epoch=state["epoch"], history=state["history"])

    def run(
        self, emit: Callable[[dict[str, Any]], None], validate: Callable[[nn.Module], dict[str, float]]
    ) -> Progress:
        """Train to the last epoch.

        Args:
            emit: Receives progress events.
            validate: Returns figures of the model on the validation split, to be kept with the epoch.

        Raises:
            ArithmeticError: If the loss is no longer finite.
        """
        for epoch in range(self.progress.epoch, self.epochs):
            started = time.monotonic()
            loss = self._train_epoch(epoch, emit)
            entry = {"loss": loss, "lr": self.optimizer.param_groups[0]["lr"]}
            entry["train_s"] = round(time.monotonic() - started, 3)
            if self.recipe.validates_after(epoch) or epoch + 1 == self.epochs:
                entry |= validate(self.model)
            self.progress.epoch = epoch + 1
            self.progress.history.append(entry)
            self._save()
            emit({"ev": "epoch", "epoch": epoch + 1, "epochs": self.epochs, **entry})
        checkpoint.save(self.folder / checkpoint.WEIGHTS, self.model.state_dict())
        return self.progress

    def _train_epoch(self, epoch: int, emit: Callable[[dict[str, Any]], None]) -> float:
        """Train one epoch and return the mean loss."""
        seed_everything(self.seed * 100_003 + epoch)
        self.model.train()
        self.loader.set_epoch(epoch)
        total = torch.zeros((), dtype=torch.float64)
        steps = min(self.steps, self.total - epoch * self.steps)
        images_seen, last_emit, started = 0, time.monotonic(), time.monotonic()
        for step, (images, targets) in enumerate(self.loader):
            if step >= steps:
                break
            self.scheduler.step_update(epoch * self.steps + step)
            loss = self._step(images, targets)
            total += loss
            images_seen += len(targets)
            now = time.monotonic()
            if now - last_emit >= EMIT_EVERY_S:
                last_emit = now
                value = float(total) / (step + 1)
                rate = images_seen / (now - started)
                where = {"epoch": epoch + 1, "epochs": self.epochs, "step": step + 1, "steps": steps}
                emit({"ev": "step", **where, "loss": round(value, 4), "images_per_s": round(rate, 1)})
        mean = float(total) / steps
        if not math.isfinite(mean):
            raise ArithmeticError(f"the training loss is {mean} in epoch {epoch + 1}; lower `lr`")
        return mean

    def _step(self, images_cpu: Tensor, targets_cpu: Tensor) -> Tensor:
        images = images_cpu.to(self.device, memory_format=self.memory_format)
        targets = targets_cpu.to(self.device)
        loss: Tensor = self.loss(self.model(images), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach().cpu()

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.progress.epoch,
            "history": self.progress.history,
        }
        checkpoint.save(self.folder / checkpoint.LAST, state)


def _create_scheduler(
    optimizer: torch.optim.Optimizer, recipe: Recipe, *, steps: int, total: int
) -> CosineLRScheduler:
    """Return timm's cosine schedule, stepped after every update; warm-up counts as part of the budget."""
    warmup = min(round(recipe.warmup_epochs * steps), total - 1)
    return CosineLRScheduler(
        optimizer,
        t_initial=total - warmup,
        lr_min=recipe.min_lr,
        warmup_t=warmup,
        warmup_lr_init=recipe.warmup_lr,
        warmup_prefix=True,
        t_in_epochs=False,
    )
