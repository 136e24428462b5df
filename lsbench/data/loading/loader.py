"""Create the loaders for training and evaluation.

Order and augmentation are a pure function of seed, epoch, sample and copy, never of the number of workers or
ranks: a run that resumes at update ``u`` of epoch ``e`` sees the same batches as an unbroken one. Batches are
on the CPU: images float32, normalised, shape ``(B, 3, img_size, img_size)``, and targets int64, shape
``(B,)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lsbench.core.counted import counted
from lsbench.core.errors import ConfigError
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.disk import DiskEvalLoader, DiskTrainLoader
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.memory import MemoryEvalLoader, MemoryTrainLoader
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.data.loading.train_order import TrainOrder, eval_batches
from lsbench.data.loading.transforms import create_eval_transform, create_train_transform


class TrainLoader(Protocol):
    """Shuffled, augmented chunks of equal size.

    Attributes:
        unreadable: Paths, relative to the split, of the unreadable images that this rank has met so far,
            sorted. Images in memory are all decoded when the loader is created, others when they are used.
    """

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the unreadable images met so far, sorted."""

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Set the epoch of the next iteration; the default is epoch 0 from its first update.

        Args:
            epoch: The epoch whose order and augmentation are used.
            start_update: The first update to yield; the images of earlier ones are not read.
        """

    def __len__(self) -> int:
        """Return the number of updates of a whole epoch, even if the iteration starts later."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this rank's chunks of the chosen epoch: ``chunks / world_size`` for each update.

        Raises:
            DataError: If more images than allowed cannot be decoded.
        """


class EvalLoader(Protocol):
    """Every image once over all ranks, in listing order; the last batch may be smaller.

    Attributes:
        paths: Path of each image of all ranks relative to the split, in the order of the batches.
    """

    paths: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of batches of this rank."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this rank's batches: of all in order, every ``world_size``-th starting at ``rank``."""


def create_train_loader(  # noqa: PLR0913  # all by name, and callers pass only what they need
    folders: ImageFolders,
    *,
    img_size: int,
    batch_size: int,
    augment: Augment,
    seed: int,
    in_memory: bool,
    split: str = "train",
    num_workers: int = 0,
    chunks: int = 1,
    rank: int = 0,
    world_size: int = 1,
    repeats: int = 1,
    max_unreadable: int = 0,
) -> TrainLoader:
    """Return the loader for training.

    Args:
        folders: A prepared data set.
        img_size: Side of the images, pixels.
        batch_size: Images per update over all ranks; images of an epoch that do not fill a batch are left
            out.
        augment: Random changes of the images.
        seed: Seed of order and augmentation.
        in_memory: Decode all images once (the plug-in's ``in_memory``); `num_workers` is then unused.
        split: The split to train on.
        num_workers: Worker processes that read and transform; 0 does it in this process.
        chunks: Number of chunks per update, over all ranks.
        rank: This process's number; it gets the chunks ``rank, rank + world_size, ...``.
        world_size: Number of processes that share the chunks.
        repeats: Copies of each image that follow each other (repeated augmentation).
        max_unreadable: Number of different images that may be unreadable: each is replaced by the next
            readable one of the listing. The budget is per rank, and starts anew with each loader.

    Raises:
        DataError: If the split is missing or empty, or, in memory, holds more unreadable images than
            allowed.
        ConfigError: If an epoch has no whole batch, the ranks or chunks do not divide a batch equally, or
            `augment` is not possible here.
    """
    images = list_images(folders, split)
    order = TrainOrder(len(images), seed, batch_size, repeats, chunks, rank, world_size)
    if order.updates == 0:
        raise ConfigError(
            f"expected at least one batch of {batch_size} images in {images.folder}, "
            f"found {counted(len(images), 'image')}; lower batch_size"
        )
    if in_memory:
        return MemoryTrainLoader(
            folders, images, order, img_size=img_size, augment=augment, max_unreadable=max_unreadable
        )
    transform = create_train_transform(folders, img_size, augment)
    return DiskTrainLoader(images, transform, order, num_workers=num_workers, max_unreadable=max_unreadable)


def create_eval_loader(  # noqa: PLR0913  # all by name, and callers pass only what they need
    folders: ImageFolders,
    *,
    split: str,
    img_size: int,
    batch_size: int,
    in_memory: bool,
    num_workers: int = 0,
    preprocessing: Preprocessing | None = None,
    rank: int = 0,
    world_size: int = 1,
) -> EvalLoader:
    """Return the loader for evaluation.

    Args:
        folders: A prepared data set.
        split: The split to evaluate on.
        img_size: Side of the images, pixels.
        batch_size: Images per batch.
        in_memory: Decode all images once; they are resized to the square and not cropped.
        num_workers: Worker processes that read and transform; 0 does it in this process.
        preprocessing: How images become the model's input, read from disk whatever `in_memory` says; None: as
            the data set's are.
        rank: This process's number; it gets the batches ``rank, rank + world_size, ...``.
        world_size: Number of processes that share the batches.

    Raises:
        DataError: If the split is missing, empty, or holds an unreadable image: results are over all images,
            so none is replaced.
    """
    images = list_images(folders, split)
    batches = eval_batches(len(images), batch_size, rank=rank, world_size=world_size)
    if in_memory and preprocessing is None:
        return MemoryEvalLoader(folders, images, batches, img_size=img_size)
    transform = create_eval_transform(preprocessing or Preprocessing.of_data(folders, img_size))
    return DiskEvalLoader(images, transform, batches, num_workers=num_workers)


def draw_images(
    folders: ImageFolders,
    *,
    split: str,
    count: int,
    seed: int,
    img_size: int,
    in_memory: bool,
    preprocessing: Preprocessing | None = None,
) -> Tensor:
    """Return images drawn at random from a split, as a model sees them in an evaluation.

    Args:
        folders: A prepared data set.
        split: The split.
        count: Image count; all of a smaller split.
        seed: Seed of the draw, without replacement.
        img_size: Side of the images, pixels.
        in_memory: As for :func:`create_eval_loader`.
        preprocessing: As for :func:`create_eval_loader`.

    Returns:
        Images, normalised, float32, shape ``(count, 3, H, W)``.

    Raises:
        DataError: If the split is missing, empty, or a drawn image is unreadable.
    """
    images = list_images(folders, split)
    count = min(count, len(images))
    places = np.random.default_rng(seed).choice(len(images), count, replace=False)
    drawn = images.taken(sorted(places.tolist()))
    loader: EvalLoader
    if in_memory and preprocessing is None:
        loader = MemoryEvalLoader(folders, drawn, [range(count)], img_size=img_size)
    else:
        transform = create_eval_transform(preprocessing or Preprocessing.of_data(folders, img_size))
        loader = DiskEvalLoader(drawn, transform, [range(count)], num_workers=0)
    return torch.cat([batch for batch, _ in loader])
