"""Loaders for data sets that are read from disk again each epoch, by worker processes if requested.

The sampler yields ``(epoch, index, copy)`` and every sample seeds its own randomness from it, so a batch is
the same with any number of workers and ranks, and workers may live on from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from lsbench.core.errors import DataError
from lsbench.data.loading.image_list import ImageList
from lsbench.data.loading.sample_rng import derive_seed, seeded_rng
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.loading.transforms import Transform
from lsbench.data.loading.unreadable import Failure, UnreadableBudget, decode_readable

Batch = tuple[Tensor, Tensor]
SampleKey = tuple[int, int, int]
Sample = tuple[tuple[Tensor, int | Tensor] | None, list[Failure]]
"""Transformed image and target, or None for an unreadable image without replacement; and the failures."""


class TrainSamples(Dataset[Sample]):
    """Transformed training images by ``(epoch, index, copy)``."""

    def __init__(self, images: ImageList, transform: Transform, seed: int, max_unreadable: int = 0) -> None:
        self._images, self._transform, self._seed = images, transform, seed
        self._max_unreadable = max_unreadable

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, index, copy = key
        image, found, failures = decode_readable(self._images, index, max_unreadable=self._max_unreadable)
        if image is None:
            return None, failures
        # The first copy equals the only one without repeats.
        parts = (self._seed, epoch, index, copy) if copy else (self._seed, epoch, index)
        with seeded_rng(derive_seed(*parts), restore=get_worker_info() is None):
            return (self._transform(image), self._images.targets[found]), failures


class EvalSamples(Dataset[Sample]):
    """Transformed images in listing order; none is ever replaced."""

    def __init__(self, images: ImageList, transform: Transform) -> None:
        self._images, self._transform = images, transform

    def __getitem__(self, index: int) -> Sample:
        image, _, failures = decode_readable(self._images, index, max_unreadable=0)
        if image is None:
            return None, failures
        return (self._transform(image), torch.tensor(self._images.labels[index])), failures

    def __len__(self) -> int:
        return len(self._images)


class ChunkSampler(Sampler[list[SampleKey]]):
    """The keys of every chunk of this rank, in an order given by seed and epoch."""

    def __init__(self, order: TrainOrder) -> None:
        self._order = order
        self.epoch = 0
        self.start_update = 0

    def __len__(self) -> int:
        return (self._order.updates - self.start_update) * self._order.chunks // self._order.world_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        epoch = self.epoch
        indices, copies = (drawn.tolist() for drawn in self._order.draw(epoch))
        for chunk in self._order.positions(self.start_update):
            pairs = zip(indices[chunk], copies[chunk], strict=True)
            yield [(epoch, index, copy) for index, copy in pairs]


class DiskTrainLoader:
    """Random training chunks from disk; the last, incomplete batch is dropped."""

    def __init__(
        self,
        images: ImageList,
        transform: Transform,
        order: TrainOrder,
        *,
        num_workers: int,
        max_unreadable: int = 0,
    ) -> None:
        self._order, self._sampler = order, ChunkSampler(order)
        self._budget = UnreadableBudget(max_unreadable)
        self._loader = DataLoader(
            TrainSamples(images, transform, order.seed, max_unreadable),
            batch_sampler=self._sampler,
            **process_settings(num_workers, _collate),
        )

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the unreadable images that this rank has met so far, sorted."""
        return self._budget.paths

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Set the epoch of the next iteration and its first update; earlier images are not read."""
        self._sampler.epoch, self._sampler.start_update = epoch, start_update

    def __len__(self) -> int:
        return self._order.updates

    def __iter__(self) -> Iterator[Batch]:
        yield from _readable(self._loader, self._budget)


class DiskEvalLoader:
    """This rank's batches of all images in listing order from disk; the very last batch may be smaller."""

    def __init__(
        self, images: ImageList, transform: Transform, batches: Sequence[range], *, num_workers: int
    ) -> None:
        self._loader = DataLoader(
            EvalSamples(images, transform),
            batch_sampler=[list(batch) for batch in batches],
            **process_settings(num_workers, _collate),
        )
        self.paths = images.paths

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        yield from _readable(self._loader, UnreadableBudget(0))


def _collate(samples: list[Sample]) -> tuple[Any, list[Failure]]:
    """Return the batch, or None if an image is missing from it, and the failures.

    Failures travel with the batch: only the training process sees those of every worker.
    """
    failures = [failure for _, failed in samples for failure in failed]
    kept = [sample for sample, _ in samples if sample is not None]
    return (default_collate(kept) if len(kept) == len(samples) else None), failures


def _readable(batches: DataLoader[Any], budget: UnreadableBudget) -> Iterator[Batch]:
    for batch, failures in batches:
        budget.spend(failures)
        if batch is None:
            raise DataError(f"expected readable images, found none; the last one: {failures[-1][1]}")
        images, targets = batch
        yield images, targets


def process_settings(num_workers: int, collate: Callable[[list[Any]], Any]) -> dict[str, Any]:
    """Return the DataLoader arguments for a number of worker processes: they change speed but never a batch.

    The generator keeps DataLoader from drawing its workers' seeds from the global one, which would change the
    next draws of a resumed run.
    """
    return {
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),
        "collate_fn": collate,
    }
