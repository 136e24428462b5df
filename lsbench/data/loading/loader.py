"""Create the loaders that training and evaluation iterate over.

Order and augmentation are a pure function of seed, epoch, sample and copy, never of the number of workers
or ranks: a run that resumes at update ``u`` of epoch ``e`` sees the batches of an unbroken one. Batches are
on the CPU: images float32, normalised, shape ``(B, 3, img_size, img_size)``, and targets int64, shape
``(B,)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

from lsbench.core.errors import ConfigError
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.disk import DiskEvalLoader, DiskTrainLoader
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.memory import MemoryEvalLoader, MemoryTrainLoader
from lsbench.data.loading.train_order import TrainOrder, eval_batches
from lsbench.data.loading.transforms import create_eval_transform, create_train_transform


class TrainLoader(Protocol):
    """Shuffled, augmented chunks of equal size.

    Attributes:
        unreadable: Paths, relative to the split, of the unreadable images that this rank has met so far,
            sorted. Images in memory are all met when the loader is created, others as they come up.
    """

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the unreadable images met so far, sorted."""

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Choose what the next iteration yields; at first, epoch 0 from its first update.

        Args:
            epoch: The epoch whose order and augmentation are used.
            start_update: The first update that is wanted; the images of those before are not read.
        """

    def __len__(self) -> int:
        """Return the number of updates of a whole epoch, wherever the iteration starts."""

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
        """Yield this rank's batches: of all batches in order, every ``world_size``-th from ``rank`` on."""


def create_train_loader(  # noqa: PLR0913  # all by name, and callers give only what differs from one device
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
        batch_size: Images per update over all ranks; the rest of an epoch that does not fill a batch is
            left out.
        augment: How images are varied.
        seed: Seed of order and augmentation.
        in_memory: Decode all images once (the plug-in's ``in_memory``); `num_workers` is then unused.
        split: The split to train on.
        num_workers: Worker processes that read and transform; 0 does it in this process.
        chunks: Chunks into which the batch of an update is cut, over all ranks.
        rank: This process's number; it is given the chunks ``rank, rank + world_size, ...``.
        world_size: Number of processes that share the chunks.
        repeats: Copies of each image that follow each other (repeated augmentation).
        max_unreadable: Different images that may be unreadable: such an image is replaced by the next
            readable one of the listing. It is the budget of a rank, and starts anew with each loader.

    Raises:
        DataError: If the split is missing or empty, or, in memory, holds more unreadable images than
            allowed.
        ConfigError: If an epoch has no whole batch, the ranks or chunks do not share a batch equally, or
            `augment` is not possible here.
    """
    images = list_images(folders, split)
    order = TrainOrder(len(images), seed, batch_size, repeats, chunks, rank, world_size)
    if order.updates == 0:
        raise ConfigError(
            f"expected at least one batch of {batch_size} images in {images.folder}, "
            f"found {len(images)} images; lower batch_size"
        )
    if in_memory:
        return MemoryTrainLoader(
            folders, images, order, img_size=img_size, augment=augment, max_unreadable=max_unreadable
        )
    transform = create_train_transform(folders, img_size, augment)
    return DiskTrainLoader(images, transform, order, num_workers=num_workers, max_unreadable=max_unreadable)


def create_eval_loader(  # noqa: PLR0913  # all by name, and callers give only what differs from one device
    folders: ImageFolders,
    *,
    split: str,
    img_size: int,
    batch_size: int,
    in_memory: bool,
    num_workers: int = 0,
    crop_pct: float = 0.875,
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
        crop_pct: From disk, the shorter side is resized to ``img_size / crop_pct`` before the centre
            crop.
        rank: This process's number; it is given the batches ``rank, rank + world_size, ...``.
        world_size: Number of processes that share the batches.

    Raises:
        DataError: If the split is missing, empty, or holds an unreadable image: results are over all
            images, so none is replaced.
    """
    images = list_images(folders, split)
    batches = eval_batches(len(images), batch_size, rank=rank, world_size=world_size)
    if in_memory:
        return MemoryEvalLoader(folders, images, batches, img_size=img_size)
    transform = create_eval_transform(folders, img_size, crop_pct)
    return DiskEvalLoader(images, transform, batches, num_workers=num_workers)
