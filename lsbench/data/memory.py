"""Loaders for small data sets: every image is decoded once, batches are tensor indexing.

Shapes: N images, B images of a batch, C channels (1 if all images are grey), H = W = img_size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lsbench.data.augment import Augment
from lsbench.data.dataset import ImageFolders
from lsbench.data.image_folder import ImageList
from lsbench.data.sample_rng import derive_seed
from lsbench.data.transforms import EpochPlan, check_in_memory, normalise, shift_and_flip

Batch = tuple[Tensor, Tensor]


def decode_all(images: ImageList, img_size: int) -> Tensor:
    """Return all images resized to the square, uint8, shape ``(N, C, H, W)``.

    C is 1 if no image has colour: a third of the memory, and batches are made faster.

    Raises:
        DataError: If a file is not a readable image.
    """
    size = (img_size, img_size)
    pixels = np.empty((len(images), img_size, img_size, 3), dtype=np.uint8)
    for index in range(len(images)):
        image = images.decode(index)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        pixels[index] = np.asarray(image)
    is_grey = all((pixels[..., 0] == pixels[..., channel]).all() for channel in (1, 2))
    kept = pixels[..., :1] if is_grey else pixels
    return torch.from_numpy(np.ascontiguousarray(kept.transpose(0, 3, 1, 2)))


class MemoryTrainLoader:
    """Random training batches from memory; the last, incomplete batch is dropped."""

    def __init__(
        self,
        folders: ImageFolders,
        images: ImageList,
        *,
        img_size: int,
        batch_size: int,
        augment: Augment,
        seed: int,
    ) -> None:
        check_in_memory(augment)
        self._folders, self._augment, self._seed = folders, augment, seed
        self._batch_size, self._epoch = batch_size, 0
        self._pixels = decode_all(images, img_size)
        self._targets = torch.tensor(images.targets)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and augmentation the next iteration uses."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._targets) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        plan = EpochPlan.draw(len(self._targets), self._augment, derive_seed(self._seed, self._epoch))
        for step in range(len(self)):
            rows = plan.order[step * self._batch_size : (step + 1) * self._batch_size]
            pixels = shift_and_flip(
                self._pixels[rows], plan.is_flipped[rows], plan.shift[rows], self._augment.crop_padding
            )
            yield normalise(pixels, self._folders.mean, self._folders.std), self._targets[rows]


class MemoryEvalLoader:
    """All images in listing order from memory; the last batch may be smaller."""

    def __init__(self, folders: ImageFolders, images: ImageList, *, img_size: int, batch_size: int) -> None:
        self._folders, self._batch_size = folders, batch_size
        self._pixels = decode_all(images, img_size)
        self._targets = torch.tensor(images.targets)
        self.paths = images.paths

    def __len__(self) -> int:
        return math.ceil(len(self._targets) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self._targets), self._batch_size):
            rows = slice(start, start + self._batch_size)
            yield normalise(self._pixels[rows], self._folders.mean, self._folders.std), self._targets[rows]
