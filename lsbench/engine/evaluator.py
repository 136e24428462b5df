"""Run a model over a split and keep what each image got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

PerImage = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Predictions:
    """What a model said about each image of a split, in the split's order.

    Attributes:
        targets: True classes, int64, shape ``(N,)``.
        predictions: Most likely classes, int64, shape ``(N,)``.
        scores: For each metric its value per image, shape ``(N,)``.
    """

    targets: NDArray[np.int64]
    predictions: NDArray[np.int64]
    scores: dict[str, NDArray[Any]]

    @property
    def num_images(self) -> int:
        """How many images were seen."""
        return len(self.targets)

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over all images."""
        return float(self.scores[metric].mean())


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    metrics: Mapping[str, PerImage],
    *,
    device: str = "cpu",
    limit: int | None = None,
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> Predictions:
    """Return the model's predictions over `batches`, in eval mode; the mode is put back afterwards.

    Args:
        model: Maps images ``(B, C, H, W)`` to logits ``(B, K)``.
        batches: Pairs of images and targets ``(B,)``.
        metrics: Metric name -> function of (logits, targets) giving one value per image.
        device: Where the model is.
        limit: Stop after this many batches.
        channels_last: Memory format of the images.
        on_batch: Called with the number of images seen so far.

    Raises:
        ValueError: If there is no batch.
    """
    was_training = model.training
    model.eval()
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    targets, predictions = [], []
    scores: dict[str, list[Tensor]] = {name: [] for name in metrics}
    seen = 0
    for step, (images_cpu, target_cpu) in enumerate(batches):
        if limit is not None and step >= limit:
            break
        images = images_cpu.to(device, memory_format=memory_format)
        target = target_cpu.to(device)
        logits = model(images)
        targets.append(target.cpu())
        predictions.append(logits.argmax(dim=1).cpu())
        for name, per_image in metrics.items():
            scores[name].append(per_image(logits, target).cpu())
        seen += len(target)
        if on_batch is not None:
            on_batch(seen)
    model.train(was_training)
    if not targets:
        raise ValueError("the split holds no image")
    return Predictions(
        targets=torch.cat(targets).numpy(),
        predictions=torch.cat(predictions).numpy(),
        scores={name: torch.cat(values).numpy() for name, values in scores.items()},
    )
