"""Create the loaders that training and evaluation iterate over.

Order and augmentation are a pure function of seed, epoch and sample, never of the number of workers:
a run that resumes at epoch ``e`` sees the batches of an unbroken one. Batches are on the CPU: images
float32, normalised, shape ``(B, 3, img_size, img_size)``, and targets int64, shape ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

from lsbench.core.errors import ConfigError
from lsbench.data.augment import Augment
from lsbench.data.dataset import ImageFolders
from lsbench.data.disk import DiskEvalLoader, DiskTrainLoader
from lsbench.data.image_folder import list_images
from lsbench.data.memory import MemoryEvalLoader, MemoryTrainLoader
from lsbench.data.transforms import create_eval_transform, create_train_transform


class TrainLoader(Protocol):
    """Shuffled, augmented batches of equal size."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and augmentation the next iteration uses; starts at 0."""

    def __len__(self) -> int:
        """Return the number of steps of an epoch."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of the chosen epoch."""


class EvalLoader(Protocol):
    """Every image once, in listing order; the last batch may be smaller.

    Attributes:
        paths: Path of each image relative to the split's folder, in the order of the batches.
    """

    paths: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of batches."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches."""


def create_train_loader(
    folders: ImageFolders,
    *,
    img_size: int,
    batch_size: int,
    augment: Augment,
    seed: int,
    in_memory: bool,
    split: str = "train",
    num_workers: int = 0,
) -> TrainLoader:
    """Return the loader for training.

    Args:
        folders: A prepared data set.
        img_size: Side of the images, pixels.
        batch_size: Images per step; the rest of an epoch that does not fill a batch is left out.
        augment: How images are varied.
        seed: Seed of order and augmentation.
        in_memory: Decode all images once (the plug-in's ``in_memory``); `num_workers` is then unused.
        split: The split to train on.
        num_workers: Worker processes that read and transform; 0 does it in this process.

    Raises:
        DataError: If the split is missing, empty, or holds an unreadable image.
        ConfigError: If the split is smaller than a batch, or `augment` is not possible here.
    """
    images = list_images(folders, split)
    if len(images) < batch_size:
        raise ConfigError(
            f"expected at least one batch of {batch_size} images in {images.folder}, "
            f"found {len(images)} images; lower batch_size"
        )
    if in_memory:
        return MemoryTrainLoader(
            folders, images, img_size=img_size, batch_size=batch_size, augment=augment, seed=seed
        )
    transform = create_train_transform(folders, img_size, augment)
    return DiskTrainLoader(images, transform, batch_size=batch_size, seed=seed, num_workers=num_workers)


def create_eval_loader(
    folders: ImageFolders,
    *,
    split: str,
    img_size: int,
    batch_size: int,
    in_memory: bool,
    num_workers: int = 0,
    crop_pct: float = 0.875,
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

    Raises:
        DataError: If the split is missing, empty, or holds an unreadable image.
    """
    images = list_images(folders, split)
    if in_memory:
        return MemoryEvalLoader(folders, images, img_size=img_size, batch_size=batch_size)
    transform = create_eval_transform(folders, img_size, crop_pct)
    return DiskEvalLoader(images, transform, batch_size=batch_size, num_workers=num_workers)
