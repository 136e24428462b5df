"""The part of a training that differs between tasks: from a batch to its loss."""

from __future__ import annotations

from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn


class TrainingTask(Protocol):
    """Turns batches into losses; the trainer knows nothing else of a batch.

    A module of torch, if it has parts that belong on the device.
    """

    def to(self, device: str) -> Self:
        """Return this task with its own modules on the device."""

    def count(self, batch: Any) -> int:
        """Return the number of images of a batch as the loader gave it."""

    def prepare(self, batch: Any, *, device: str, memory_format: torch.memory_format, seed: int) -> Any:
        """Return a batch on the device, as :meth:`loss` takes it.

        Args:
            batch: As the loader gave it, on the CPU.
            device: The model's device.
            memory_format: Memory format of the images.
            seed: Seed of everything random that is done to the batch, whatever was drawn before.
        """

    def loss(self, forward: nn.Module, batch: Any) -> Tensor:
        """Return the mean loss over a batch, a scalar.

        Args:
            forward: The model, in training mode, perhaps compiled or shared by ranks; called once.
            batch: As :meth:`prepare` returned it.
        """
