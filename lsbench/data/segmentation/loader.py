"""Create the loaders of images with label maps.

Shapes: B images of a batch, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2

from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.loading.target_loader import TargetEvalLoader, TargetTrainLoader, create_test_loader
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.segmentation.samples import SegmentationSplit
from lsbench.data.segmentation.transforms import create_eval_transform


def create_train_loader(
    split: SegmentationSplit, transform: v2.Compose, order: TrainOrder, *, num_workers: int = 0
) -> TargetTrainLoader:
    """Return the loader for training.

    It yields chunks of images, float32 ``(B, 3, H, W)``, and classes, int64 ``(B, H, W)``. Pixels of class
    255 do not count.

    Args:
        split: The images.
        transform: One of :func:`lsbench.data.segmentation.transforms.create_train_transform`.
        order: The order of the images of `split`.
        num_workers: Worker processes.

    Raises:
        ConfigError: If the order is of another number of images, or an epoch has no whole batch.
    """
    if order.num_images != len(split):
        raise ConfigError(f"expected an order of {counted(len(split), 'image')}, found {order.num_images}")
    if order.updates == 0:
        raise ConfigError(
            f"expected at least one batch of {order.batch_size} images in {split.images.folder}, found "
            f"{counted(len(split), 'image')}; lower batch_size"
        )
    read = partial(read_training_sample, split, transform)
    return TargetTrainLoader(read, order, collate_training, num_workers=num_workers)


def create_eval_loader(split: SegmentationSplit, scaling: Scaling, **shares: int) -> TargetEvalLoader:
    """Return the loader for tests; targets are the label maps in the size of their files, uint8.

    Args:
        split: The images.
        scaling: Size and normalisation.
        shares: As for :func:`lsbench.data.loading.target_loader.create_test_loader`.
    """
    read = partial(read_test_sample, split, create_eval_transform(scaling))
    return create_test_loader(split, scaling, read, **shares)


def read_training_sample(
    split: SegmentationSplit, transform: Callable[..., tuple[Tensor, Tensor]], index: int
) -> tuple[Tensor, Tensor]:
    """Return a transformed image and its classes; draws from the global generator of torch."""
    return transform(*split.read(index))


def read_test_sample(
    split: SegmentationSplit, transform: Callable[..., Tensor], index: int
) -> tuple[Tensor, tuple[int, int], int, Any]:
    """Return a transformed image, its size in the file, its position, and its label map."""
    image, label_map = split.read(index)
    return transform(image), (image.shape[-2], image.shape[-1]), index, label_map.as_subclass(Tensor)


def collate_training(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return a chunk of training samples."""
    images, label_maps = zip(*samples, strict=True)
    return torch.stack(images), torch.stack(label_maps).long()
