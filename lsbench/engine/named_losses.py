"""The training task of detectors and segmenters, models that return their losses by name.

Shapes: B images of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn


class Seeded(NamedTuple):
    """A batch on the device, and the seed of everything that the model draws for it.

    Attributes:
        images: Shape ``(B, 3, H, W)``.
        targets: Whatever the model learns from: a mapping for each image, or a tensor for all of them.
        seed: The seed.
    """

    images: Tensor
    targets: Any
    seed: int


class NamedLosses:
    """Trains the sum of a model's named losses.

    What a model draws for a chunk, such as the anchors that it learns from, depends on the chunk alone, so
    that any number of ranks draws the same.
    """

    def to(self, device: str) -> Self:
        """Return this task; it has no module of its own."""
        return self

    def count(self, batch: tuple[Tensor, Any]) -> int:
        """Return the number of images of a batch: images ``(B, 3, H, W)`` and their targets."""
        return len(batch[0])

    def prepare(
        self,
        batch: tuple[Tensor, Any],
        *,
        device: str,
        memory_format: torch.memory_format,
        seed: int,
    ) -> Seeded:
        """Return a batch on the device; see :class:`lsbench.engine.training_task.TrainingTask`."""
        images, targets = batch
        moved = images.to(device, memory_format=memory_format, non_blocking=True)
        return Seeded(moved, _moved(targets, device), seed)

    def loss(self, forward: nn.Module, batch: Seeded) -> Tensor:
        """Return the sum of the model's losses over a batch from :meth:`prepare`."""
        torch.manual_seed(batch.seed)
        losses: Mapping[str, Tensor] = forward(batch.images, batch.targets)
        return torch.stack([loss.float() for loss in losses.values()]).sum()


def _moved(target: Any, device: str) -> Any:
    """Return tensors on the device, whatever mappings and lists they are in."""
    if isinstance(target, Tensor):
        return target.to(device, non_blocking=True)
    if isinstance(target, Mapping):
        return {name: _moved(value, device) for name, value in target.items()}
    return [_moved(one, device) for one in target] if isinstance(target, list) else target
