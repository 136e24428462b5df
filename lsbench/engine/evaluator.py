"""Run a model over a split and keep the result of each image."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsbench.engine.distributed import gather_over_ranks, share_buffers
from lsbench.engine.heads import Head
from lsbench.metrics import Metric, as_metric

#: Keys beside the metrics' names in the results of a batch.
TARGETS, PREDICTIONS, BEST, CONFIDENCE = "<targets>", "<predictions>", "<best>", "<confidence>"
#: Number of most likely classes that are kept of each image.
KEPT_CLASSES = 5

PerImage = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Predictions:
    """A model's results for each image of a split, in the split's order.

    Attributes:
        targets: True classes, int64, shape ``(N,)``; of several correct ones, the one predicted most likely.
        predictions: Most likely classes, int64, shape ``(N,)``.
        best: The five most likely classes, the likeliest first, int64, shape ``(N, 5)``; all of fewer.
        confidence: Probability of the most likely class, shape ``(N,)``.
        scores: Values of each metric for each image, shape ``(N, ...)``.
    """

    targets: NDArray[np.int64]
    predictions: NDArray[np.int64]
    best: NDArray[np.int64]
    confidence: NDArray[np.floating[Any]]
    scores: dict[str, NDArray[Any]]

    @property
    def num_images(self) -> int:
        """Image count."""
        return len(self.targets)

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over all images."""
        return float(self.scores[metric].mean())


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    metrics: Mapping[str, Metric | PerImage],
    *,
    device: str = "cpu",
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> Predictions:
    """Return the model's predictions over `batches` among all its classes; see :func:`evaluate_heads`."""
    (found,) = evaluate_heads(
        model,
        batches,
        metrics,
        (None,),
        device=device,
        channels_last=channels_last,
        on_batch=on_batch,
    )
    return found


def evaluate_heads(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    metrics: Mapping[str, Metric | PerImage],
    subsets: Sequence[tuple[int, ...] | None],
    *,
    device: str = "cpu",
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[Predictions, ...]:
    """Return the model's predictions over `batches` restricted to each of `subsets`, in one pass.

    As :func:`evaluate_models` of one model.
    """
    (found,) = evaluate_models(
        (model,), batches, metrics, subsets, device=device, channels_last=channels_last, on_batch=on_batch
    )
    return found


def evaluate_models(
    models: Sequence[nn.Module],
    batches: Iterable[tuple[Tensor, Tensor]],
    metrics: Mapping[str, Metric | PerImage],
    subsets: Sequence[tuple[int, ...] | None],
    *,
    device: str = "cpu",
    channels_last: bool = False,
    on_batch: Callable[[int], None] | None = None,
    on_logits: Callable[[Sequence[Tensor]], None] | None = None,
) -> tuple[tuple[Predictions, ...], ...]:
    """Return each model's predictions over `batches` restricted to each of `subsets`, in one pass.

    Models run in eval mode; their modes are restored afterwards. Several ranks share the batches, and all
    return the complete results.

    Args:
        models: Each maps images ``(B, C, H, W)`` to logits ``(B, K)``.
        batches: Pairs of images and labels; of R ranks, rank r has the batches r, r + R, ... Labels are
            classes ``(B,)``, or all correct classes of each image ``(B, L)``, padded with -1.
        metrics: Metric name -> metric, or function of (logits, targets) with one value per image.
        subsets: Indices of the classes that may be predicted; ``None`` for all.
        device: The models' device.
        channels_last: Memory format of the images.
        on_batch: Called with the number of images seen so far.
        on_logits: Called with the logits of each model, batch by batch.

    Raises:
        ValueError: If there is no batch, or an image has no class in a subset.
    """
    judges = {name: as_metric(metric) for name, metric in metrics.items()}
    heads = [Head(subset, device) for subset in subsets]
    were_training = [model.training for model in models]
    for model in models:
        model.eval()
    with _without_gradients(judges.values()):
        for model in models:
            share_buffers(model)
        batches = _on_device(batches, device, channels_last=channels_last)
        found: list[list[list[dict[str, Tensor]]]] = [[[] for _ in heads] for _ in models]
        seen = 0
        for images, labels in batches:
            every = [model(images) for model in models]
            if on_logits is not None:
                on_logits(every)
            for model, logits, of_model in zip(models, every, found, strict=True):
                for head, of_head in zip(heads, of_model, strict=True):
                    said = _judge(model, images, head, labels, logits, judges)
                    of_head.append({name: values.cpu() for name, values in said.items()})
            seen += len(labels)
            if on_batch is not None:
                on_batch(seen)
    for model, was_training in zip(models, were_training, strict=True):
        model.train(was_training)
    return tuple(tuple(_joined(of_head, metrics) for of_head in of_model) for of_model in found)


def _without_gradients(metrics: Iterable[Metric]) -> AbstractContextManager[None]:
    """Return inference mode, or the slower no-grad mode if an attack needs gradients.

    Tensors that a model caches, such as a table of attention biases, could not take part in gradients if they
    were made in inference mode.
    """
    return torch.no_grad() if any(metric.attack for metric in metrics) else torch.inference_mode()


def _on_device(
    batches: Iterable[tuple[Tensor, Tensor]], device: str, *, channels_last: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this rank's batches on the device."""
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    for images, labels in batches:
        yield images.to(device, memory_format=memory_format), labels.to(device)


def _judge(
    model: nn.Module,
    images: Tensor,
    head: Head,
    labels: Tensor,
    logits: Tensor,
    metrics: Mapping[str, Metric],
) -> dict[str, Tensor]:
    """Return the results of a batch: targets, predictions, and each metric's values."""
    cut = head.cut(logits)
    targets = head.targets(labels, cut)
    said = {TARGETS: head.classes(targets), **_answers(head, cut)}
    for name, metric in metrics.items():
        if metric.attack is None:
            said[name] = metric.per_image(cut, targets)
            continue
        with torch.enable_grad():
            moved = metric.attack(lambda x: head.cut(model(x)), images, targets)
        attacked = head.cut(model(moved))
        said[name] = metric.per_image(attacked, head.targets(labels, attacked))
    return said


def _answers(head: Head, cut: Tensor) -> dict[str, Tensor]:
    """Return the prediction of each image, the most likely classes and the prediction's probability."""
    first = cut.argmax(dim=1, keepdim=True)
    # Of equal logits, topk may name another one first than argmax.
    best = cut.scatter(1, first, torch.inf).topk(min(KEPT_CLASSES, cut.shape[1]), dim=1).indices
    confidence = cut.float().softmax(dim=1).gather(1, first)
    return {
        PREDICTIONS: head.classes(first.squeeze(1)),
        BEST: head.classes(best),
        CONFIDENCE: confidence.squeeze(1),
    }


def _joined(found: list[dict[str, Tensor]], metrics: Iterable[str]) -> Predictions:
    joined = _in_order(gather_over_ranks(found))
    return Predictions(
        targets=joined.pop(TARGETS),
        predictions=joined.pop(PREDICTIONS),
        best=joined.pop(BEST),
        confidence=joined.pop(CONFIDENCE),
        scores={name: joined[name] for name in metrics},
    )


def _in_order(shares: list[list[dict[str, Tensor]]]) -> dict[str, NDArray[Any]]:
    """Return the results of all ranks, joined in the order of the split."""
    rounds = itertools.zip_longest(*shares)
    batches = [batch for one_round in rounds for batch in one_round if batch is not None]
    if not batches:
        raise ValueError("the split holds no image")
    return {name: torch.cat([batch[name] for batch in batches]).numpy() for name in batches[0]}
