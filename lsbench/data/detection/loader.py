"""Create the loaders of images with boxes and masks.

Shapes: B images of a batch, H rows, W columns, multiples of 32; N objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError
from lsbench.data.detection.order import GroupedOrder
from lsbench.data.detection.samples import DetectionSplit
from lsbench.data.detection.transforms import (
    Sample,
    create_eval_transform,
    create_train_transform,
    drop_empty_boxes,
    pad_masks,
)
from lsbench.data.loading.keep_ratio import Scaling, pad_and_stack, padded_size
from lsbench.data.loading.target_loader import TargetEvalLoader, TargetTrainLoader, create_test_loader


def create_train_loader(
    split: DetectionSplit, scaling: Scaling, order: GroupedOrder, *, flip: float = 0.5, num_workers: int = 0
) -> TargetTrainLoader:
    """Return the loader for training: chunks of images ``(B, 3, H, W)`` and a list of targets.

    A target has ``boxes`` (x1 y1 x2 y2 in pixels of the batch, float32, ``(N, 4)``), ``labels`` (from 0,
    int64), ``image_size`` (height and width before padding) and, if the split has them, ``masks`` (0 or 1,
    uint8, ``(N, h, w)``, padded as the image alone would be).

    Args:
        split: The images, opened for training.
        scaling: Size and normalisation.
        order: The order of the images of `split`.
        flip: Probability of a horizontal flip.
        num_workers: Worker processes.

    Raises:
        ConfigError: If the order is of another number of images.
    """
    if len(order.is_wide) != len(split):
        raise ConfigError(f"expected an order of {counted(len(split), 'image')}, found {len(order.is_wide)}")
    read = partial(read_training_sample, split, create_train_transform(scaling, flip))
    return TargetTrainLoader(read, order, collate_training, num_workers=num_workers)


def create_eval_loader(split: DetectionSplit, scaling: Scaling, **shares: int) -> TargetEvalLoader:
    """Return the loader for tests; there are no targets.

    Args:
        split: The images.
        scaling: Size and normalisation.
        shares: As for :func:`lsbench.data.loading.target_loader.create_test_loader`.
    """
    read = partial(read_test_sample, split, create_eval_transform(scaling))
    return create_test_loader(split, scaling, read, **shares)


def read_training_sample(split: DetectionSplit, transform: Callable[..., Sample], index: int) -> Sample:
    """Return a transformed image and its target; draws from the global generator of torch."""
    image, target = transform(*split.read(index))
    target = drop_empty_boxes(target)
    size = (image.shape[-2], image.shape[-1])
    plain: dict[str, Any] = {
        "boxes": target["boxes"].as_subclass(Tensor),
        "labels": target["labels"],
        "image_size": size,
    }
    if "masks" in target:
        plain["masks"] = pad_masks(target["masks"].as_subclass(Tensor), padded_size(size))
    return image, plain


def read_test_sample(
    split: DetectionSplit, transform: Callable[..., Tensor], index: int
) -> tuple[Tensor, tuple[int, int], int, None]:
    """Return a transformed image, its size in the file, and its position."""
    return transform(split.decode(index)), split.size(index), index, None


def collate_training(samples: list[Sample]) -> tuple[Tensor, list[dict[str, Any]]]:
    """Return a chunk of training samples."""
    return pad_and_stack([image for image, _ in samples]), [target for _, target in samples]
