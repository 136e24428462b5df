"""The order of training images with boxes: neighbours have one orientation, so batches are padded little.

A pure function of seed and epoch. As in mmdetection's group samplers, images that are wider than high are
shuffled apart from the others, each kind is filled up to whole groups by its own first images, and then the
groups are shuffled. An epoch therefore shows every image at least once.

Source:
    ``DistributedGroupSampler`` of mmdetection 2.28 (Chen et al., arXiv:1906.07155).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsbench.core.errors import ConfigError
from lsbench.data.loading.sample_rng import derive_seed
from lsbench.data.loading.train_order import check_shares


@dataclass(frozen=True)
class GroupedOrder:
    """The order of a split, cut into batches of one update and these into chunks that ranks share.

    Attributes:
        is_wide: Whether each image is wider than high.
        seed: Seed of order and augmentation.
        batch_size: Images of one update, over all ranks.
        group_size: Images of a group; a batch holds whole groups.
        chunks: Chunks per update, over all ranks. Rank ``r`` of ``R`` has the chunks ``r, r + R, ...``.
        rank: This process's number.
        world_size: Number of processes.
    """

    is_wide: NDArray[np.bool_] = field(compare=False)
    seed: int
    batch_size: int
    group_size: int = 2
    chunks: int = 1
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        check_shares(self.batch_size, chunks=self.chunks, rank=self.rank, world_size=self.world_size)
        if self.batch_size % self.group_size:
            raise ConfigError(
                f"batch_size: expected a multiple of the {self.group_size} images of a group, found "
                f"{self.batch_size}; change it"
            )

    @property
    def images_per_epoch(self) -> int:
        """Images that an epoch shows: those of each orientation, filled up to whole batches."""
        wide = int(self.is_wide.sum())
        return sum(
            -(-count // self.batch_size) * self.batch_size for count in (wide, len(self.is_wide) - wide)
        )

    @property
    def updates(self) -> int:
        """Updates per epoch."""
        return self.images_per_epoch // self.batch_size

    def draw(self, epoch: int) -> Tensor:
        """Return the images of an epoch in their order, int64."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, epoch))
        groups = []
        for kind in (False, True):
            images = torch.from_numpy(np.flatnonzero(self.is_wide == kind))
            if not len(images):
                continue
            shuffled = images[torch.randperm(len(images), generator=generator)]
            missing = -len(images) % self.batch_size
            filled = torch.cat([shuffled, shuffled.repeat(missing // len(images) + 1)[:missing]])
            groups.append(filled.view(-1, self.group_size))
        every = torch.cat(groups)
        return every[torch.randperm(len(every), generator=generator)].flatten()

    def positions(self, start_update: int = 0) -> Iterator[slice]:
        """Yield this rank's chunks, starting at an update, as slices of the epoch's order."""
        size = self.batch_size // self.chunks
        for update in range(start_update, self.updates):
            for chunk in range(self.rank, self.chunks, self.world_size):
                first = update * self.batch_size + chunk * size
                yield slice(first, first + size)
