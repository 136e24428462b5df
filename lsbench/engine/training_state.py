"""The complete state of a training, from which it resumes as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay
from timm.utils import ModelEmaV3
from torch import nn

from lsbench.engine.training_spec import TrainingSpec
from lsbench.engine.weights import load_weights


@dataclass
class Progress:
    """Progress of a training.

    Attributes:
        epoch: Epochs finished.
        update: Updates made in total; the position in the order of the samples follows from it.
        history: One entry per finished epoch: mean training loss, learning rate, values of the validation.
        epoch_loss: Sum of the losses of the unfinished epoch.
        epoch_s: Seconds of the unfinished epoch before this process.
        epoch_waited_s: Seconds of `epoch_s` spent waiting for batches.
        first_loss: The loss that later ones are measured against: the first, or the largest of the first.
        last_loss: The last one.
        lr_scale: Factor on the scheduled learning rate, lowered after a divergence.
        back_offs: Number of times that it was lowered.
        random: State of the random streams inside an unfinished epoch.
    """

    epoch: int = 0
    update: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_s: float = 0.0
    epoch_waited_s: float = 0.0
    first_loss: float | None = None
    last_loss: float | None = None
    lr_scale: float = 1.0
    back_offs: int = 0
    random: dict[str, Any] | None = None

    def note_times(self, elapsed_s: float, waited_s: float) -> None:
        """Add the time that this process has spent on the epoch."""
        self.epoch_s += elapsed_s
        self.epoch_waited_s += waited_s

    def take_times(self) -> dict[str, float]:
        """Return the epoch's duration and the fraction spent waiting for batches, and reset both."""
        times = {
            "train_s": round(self.epoch_s, 3),
            "data_wait_frac": round(self.epoch_waited_s / self.epoch_s, 4) if self.epoch_s else 0.0,
        }
        self.epoch_s = self.epoch_waited_s = 0.0
        return times


@dataclass
class TrainingState:
    """A model with its optimizer and everything else that is trained or updated with it.

    Attributes:
        model: The model.
        optimizer: timm's AdamW; see :func:`decay_groups` for the parameters that decay.
        scaler: Loss scaling for fp16; does nothing in other precisions.
        ema: Moving average of the weights, if the recipe keeps one.
        progress: Progress of the training.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: ModelEmaV3 | None
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def create(cls, model: nn.Module, recipe: TrainingSpec, *, device: str) -> TrainingState:
        """Return the state before the first update.

        Args:
            model: On its device.
            recipe: The settings.
            device: ``"cpu"`` or ``"cuda"``.
        """
        fused: dict[str, Any] = {"fused": True} if recipe.fused_adamw else {}
        return cls(
            model,
            create_optimizer_v2(decay_groups(model, recipe), opt="adamw", lr=recipe.peak_lr, **fused),
            torch.amp.GradScaler(device, enabled=recipe.precision == "fp16"),
            None if recipe.averaging is None else ModelEmaV3(model, decay=recipe.averaging),
        )

    @cached_property
    def scheduled(self) -> tuple[Callable[[float, float], None], ...]:
        """The ``set_epoch(epoch, epochs)`` of all modules that have one, of the model and of its average.

        They get the epochs trained so far, with their fraction, and those of the whole training.
        """
        wholes = (self.model,) if self.ema is None else (self.model, self.ema.module)
        found = (getattr(module, "set_epoch", None) for whole in wholes for module in whole.modules())
        return tuple(follow for follow in found if callable(follow))

    def read(self) -> dict[str, Any]:
        """Return the state as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "progress": {f.name: getattr(self.progress, f.name) for f in fields(self.progress)},
        }

    def restore(self, state: Mapping[str, Any], *, steps: int, where: str) -> None:
        """Restore a state that :meth:`read` returned; settings such as weight decay stay the recipe's.

        Args:
            state: May be one of the first version, which has only `epoch` and `history`.
            steps: Updates per epoch.
            where: The checkpoint's name, for messages.

        Raises:
            StoreError: If it has another architecture.
        """
        load_weights(self.model, state["model"], where=where, is_trained_on=True)
        settings = [
            {key: value for key, value in group.items() if key not in ("params", "lr")}
            for group in self.optimizer.param_groups
        ]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, own in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(own)
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        if self.ema is not None:
            averaged = state.get("ema") or state["model"]
            load_weights(self.ema.module, averaged, where=where, is_trained_on=True)
        known = state.get("progress") or {
            "epoch": state["epoch"],
            "update": state["epoch"] * steps,
            "history": state["history"],
        }
        self.progress = Progress(**known)


def decay_groups(model: nn.Module, recipe: TrainingSpec) -> list[dict[str, Any]]:
    """Return the trained parameters in groups, each with its weight decay.

    Parameters that the model or the recipe names do not decay; 1-D parameters and biases only if the recipe
    says so.

    Args:
        model: Names parameters by ``no_weight_decay()``, if it has that.
        recipe: The settings.
    """
    named = {name for name, _ in model.named_parameters() if any(part in name for part in recipe.no_decay)}
    own: Iterable[str] = getattr(model, "no_weight_decay", set)()
    groups: list[dict[str, Any]] = param_groups_weight_decay(
        model,
        recipe.weight_decay,
        weight_decay_exclude_1d=not recipe.decay_norms_and_biases,
        no_weight_decay_list={*own, *named},
    )
    return groups
