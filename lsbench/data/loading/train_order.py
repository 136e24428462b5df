"""The order in which a training loader shows images: a pure function of seed, epoch and position.

Shapes: N images, M images of an epoch (N, or N rounded down to a multiple of 256 with repeats).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from timm.data.distributed_sampler import RepeatAugSampler
from torch import Tensor

from lsbench.core.errors import ConfigError
from lsbench.data.loading.sample_rng import derive_seed

REPEAT_ROUND = 256
"""With repeats an epoch shows a multiple of this many images, as DeiT's sampler and timm's do."""


@dataclass(frozen=True)
class TrainOrder:
    """The order of a split, cut into batches of one update and these into chunks that ranks share.

    Chunk ``k`` of an update holds every ``chunks``-th image of its batch, starting with the ``k``-th; rank
    ``r`` of ``R`` has the chunks ``r, r + R, ...``. So the images of an update are the same for any number of
    chunks and ranks, and the copies of an image fall into different chunks.

    Attributes:
        num_images: N.
        seed: Seed of order and augmentation.
        batch_size: Images of one update, over all ranks.
        repeats: Copies of each image that follow each other, differently augmented; an epoch still shows
            about N images, of about ``N / repeats`` different ones.
        chunks: Chunks per update, over all ranks.
        rank: This process's number.
        world_size: Number of processes.
    """

    num_images: int
    seed: int
    batch_size: int
    repeats: int = 1
    chunks: int = 1
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ConfigError(f"repeats: expected at least 1, found {self.repeats}")
        check_shares(self.batch_size, chunks=self.chunks, rank=self.rank, world_size=self.world_size)

    @property
    def images_per_epoch(self) -> int:
        """M, the number of images of an epoch."""
        if self.repeats == 1 or self.num_images < REPEAT_ROUND:
            return self.num_images
        return self.num_images // REPEAT_ROUND * REPEAT_ROUND

    @property
    def updates(self) -> int:
        """Number of updates per epoch; images that do not fill the last batch are left out."""
        return self.images_per_epoch // self.batch_size

    def epoch_seed(self, epoch: int) -> int:
        """Return the seed of an epoch's order."""
        return derive_seed(self.seed, epoch)

    def draw(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the epoch's images and the copy number of each: 0 at its first occurrence, then 1, 2, ...

        Both int64, shape ``(M,)``. With repeats the order equals that of timm's RepeatAugSampler.
        """
        if self.repeats == 1:
            generator = torch.Generator().manual_seed(self.epoch_seed(epoch))
            return torch.randperm(self.num_images, generator=generator), torch.zeros(
                self.num_images, dtype=torch.int64
            )
        sampler = RepeatAugSampler(  # type: ignore[no-untyped-call]
            range(self.num_images),
            num_replicas=1,
            rank=0,
            num_repeats=self.repeats,
            # timm below 1.0.21 selects nothing from a data set smaller than its round.
            selected_round=REPEAT_ROUND if self.num_images >= REPEAT_ROUND else 0,
        )
        sampler.set_epoch(self.epoch_seed(epoch))  # type: ignore[no-untyped-call]
        order = torch.tensor(list(sampler), dtype=torch.int64)
        return order, torch.arange(len(order)) % self.repeats

    def positions(self, start_update: int = 0) -> Iterator[slice]:
        """Yield this rank's chunks, starting at an update, as slices of the epoch's order."""
        for update in range(start_update, self.updates):
            first = update * self.batch_size
            for chunk in range(self.rank, self.chunks, self.world_size):
                yield slice(first + chunk, first + self.batch_size, self.chunks)


def check_shares(batch_size: int, *, chunks: int, rank: int, world_size: int) -> None:
    """Check that ranks can share a batch in chunks of equal size.

    Raises:
        ConfigError: If they cannot, or the rank is none of them.
    """
    if not 0 <= rank < world_size:
        raise ConfigError(f"expected a rank from 0 to {world_size - 1}, found {rank}")
    if batch_size % chunks or chunks % world_size:
        raise ConfigError(
            f"batch_size: expected a multiple of its {chunks} chunks, and those a multiple of the "
            f"{world_size} ranks, found {batch_size}; change batch_size or device_batch_size"
        )


def eval_batches(num_images: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> list[range]:
    """Return the images of each batch of a rank: batches ``rank, rank + world_size, ...`` of all.

    Batches are smaller where there would be fewer of them than ranks.

    >>> eval_batches(5, 2), eval_batches(5, 2, rank=1, world_size=2)
    ([range(0, 2), range(2, 4), range(4, 5)], [range(2, 4)])
    """
    batch_size = min(batch_size, max(1, num_images // world_size))
    starts = range(rank * batch_size, num_images, world_size * batch_size)
    return [range(start, min(start + batch_size, num_images)) for start in starts]
