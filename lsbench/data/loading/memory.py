"""Loaders for small data sets: every image is decoded once, batches are made by tensor indexing.

Shapes: N images, B images of a batch, C channels (1 if all images are grey), H = W = img_size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lsbench.core.errors import DataError
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.image_list import ImageList
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.loading.transforms import EpochPlan, check_in_memory, normalise, shift_and_flip
from lsbench.data.loading.unreadable import UnreadableBudget, decode_readable

Batch = tuple[Tensor, Tensor]


def decode_all(images: ImageList, img_size: int, budget: UnreadableBudget) -> tuple[Tensor, Tensor]:
    """Return all images resized to the square, uint8, shape ``(N, C, H, W)``, and their labels, ``(N, ...)``.

    C is 1 if no image has colour: a third of the memory, and faster batches. An unreadable image is replaced
    by the next readable one and its target.

    Raises:
        DataError: If more files than `budget` allows are unreadable.
    """
    size = (img_size, img_size)
    pixels = np.empty((len(images), img_size, img_size, 3), dtype=np.uint8)
    rows = []
    for index in range(len(images)):
        image, row, failures = decode_readable(images, index, max_unreadable=budget.max_unreadable)
        budget.spend(failures)
        if image is None:
            raise DataError(f"expected readable images, found none; the last one: {failures[-1][1]}")
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        pixels[index] = np.asarray(image)
        rows.append(row)
    is_grey = all((pixels[..., 0] == pixels[..., channel]).all() for channel in (1, 2))
    kept = pixels[..., :1] if is_grey else pixels
    targets = torch.tensor([images.labels[row] for row in rows])
    return torch.from_numpy(np.ascontiguousarray(kept.transpose(0, 3, 1, 2))), targets


class MemoryTrainLoader:
    """Random training chunks from memory; the last, incomplete batch is dropped."""

    def __init__(
        self,
        folders: ImageFolders,
        images: ImageList,
        order: TrainOrder,
        *,
        img_size: int,
        augment: Augment,
        max_unreadable: int = 0,
    ) -> None:
        check_in_memory(augment)
        self._folders, self._augment, self._order = folders, augment, order
        self._epoch, self._start_update = 0, 0
        self._budget = UnreadableBudget(max_unreadable)
        self._pixels, self._targets = decode_all(images, img_size, self._budget)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the unreadable images, sorted."""
        return self._budget.paths

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Set the epoch of the next iteration, and its first update."""
        self._epoch, self._start_update = epoch, start_update

    def __len__(self) -> int:
        return self._order.updates

    def __iter__(self) -> Iterator[Batch]:
        plan = EpochPlan.draw(self._order, self._augment, self._epoch)
        for chunk in self._order.positions(self._start_update):
            rows = plan.order[chunk]
            pixels = shift_and_flip(
                self._pixels[rows], plan.is_flipped[chunk], plan.shift[chunk], self._augment.crop_padding
            )
            yield normalise(pixels, self._folders.mean, self._folders.std), self._targets[rows]


class MemoryEvalLoader:
    """This rank's batches of all images in listing order; the very last batch may be smaller."""

    def __init__(
        self, folders: ImageFolders, images: ImageList, batches: Sequence[range], *, img_size: int
    ) -> None:
        self._folders, self._batches = folders, batches
        self._pixels, self._targets = decode_all(images, img_size, UnreadableBudget(0))
        self.paths = images.paths

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            rows = slice(batch.start, batch.stop)
            yield normalise(self._pixels[rows], self._folders.mean, self._folders.std), self._targets[rows]
