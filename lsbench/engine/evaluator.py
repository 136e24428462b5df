"""Run a model over a split and keep what each image got."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsbench.engine.distributed import current_world, gather_over_ranks, share_buffers

#: Beside the metrics' names, in what is found of a batch.
TARGETS, PREDICTIONS = "<targets>", "<predictions>"

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

    Several ranks share the work: each is given every so many-th batch, and all return the whole.

    Args:
        model: Maps images ``(B, C, H, W)`` to logits ``(B, K)``.
        batches: Pairs of images and targets ``(B,)``; of R ranks, rank r has the batches r, r + R, ...
        metrics: Metric name -> function of (logits, targets) giving one value per image.
        device: Where the model is.
        limit: Stop after this many batches, those of all ranks together.
        channels_last: Memory format of the images.
        on_batch: Called with the number of images seen so far.

    Raises:
        ValueError: If there is no batch.
    """
    world = current_world()
    share_buffers(model)
    was_training = model.training
    model.eval()
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    found: list[dict[str, Tensor]] = []
    seen = 0
    for step, (images_cpu, target_cpu) in enumerate(batches):
        if limit is not None and step * world.size + world.rank >= limit:
            break
        images = images_cpu.to(device, memory_format=memory_format)
        target = target_cpu.to(device)
        logits = model(images)
        said = {name: per_image(logits, target) for name, per_image in metrics.items()}
        said |= {TARGETS: target, PREDICTIONS: logits.argmax(dim=1)}
        found.append({name: values.cpu() for name, values in said.items()})
        seen += len(target)
        if on_batch is not None:
            on_batch(seen)
    model.train(was_training)
    joined = _in_order(gather_over_ranks(found))
    return Predictions(
        targets=joined.pop(TARGETS),
        predictions=joined.pop(PREDICTIONS),
        scores={m: joined[m] for m in metrics},
    )


def _in_order(shares: list[list[dict[str, Tensor]]]) -> dict[str, NDArray[Any]]:
    """Return what all ranks found, joined in the order of the split."""
    rounds = itertools.zip_longest(*shares)
    batches = [batch for one_round in rounds for batch in one_round if batch is not None]
    if not batches:
        raise ValueError("the split holds no image")
    return {name: torch.cat([batch[name] for batch in batches]).numpy() for name in batches[0]}
