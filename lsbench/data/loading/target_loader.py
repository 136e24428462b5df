"""Loaders of images whose target is more than a class, for any task: read, transform and collate are given.

What a sample looks like is a pure function of seed, epoch and index, and a batch does not depend on the
number of workers or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from lsbench.core.errors import DataError
from lsbench.data.loading.disk import process_settings
from lsbench.data.loading.keep_ratio import Scaling, batches_of_equal_shape, collate_tests, padded_size
from lsbench.data.loading.sample_rng import derive_seed, seeded_rng

#: A sample, or the reason why it cannot be read.
_Result = tuple[Any, str | None]


class ChunkOrder(Protocol):
    """An order of training images, in chunks."""

    @property
    def seed(self) -> int:
        """Seed of order and augmentation."""

    @property
    def updates(self) -> int:
        """Updates per epoch."""

    @property
    def chunks(self) -> int:
        """Chunks per update, over all ranks."""

    @property
    def world_size(self) -> int:
        """Number of ranks."""

    def draw(self, epoch: int) -> Any:
        """Return the images of an epoch, or these and the number of each one's copy."""

    def positions(self, start_update: int = 0) -> Iterator[slice]:
        """Yield this rank's chunks of an epoch's order, starting at an update."""


class TargetTrainLoader:
    """Random training chunks.

    Args:
        read: Returns the transformed image and target of an index; it draws from the global generators.
        order: The order of images.
        collate: Makes a chunk of samples.
        num_workers: Worker processes; 0 reads in this process.
    """

    def __init__(
        self,
        read: Callable[[int], Any],
        order: ChunkOrder,
        collate: Callable[[list[Any]], Any],
        *,
        num_workers: int,
    ) -> None:
        self._order, self._sampler = order, _KeySampler(order)
        self._loader = DataLoader(
            _SeededSamples(read, order.seed),
            batch_sampler=self._sampler,
            **process_settings(num_workers, _Collated(collate)),
        )

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of unreadable images that were replaced: none ever is."""
        return ()

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Set the epoch of the next iteration and its first update; earlier images are not read."""
        self._sampler.epoch, self._sampler.start_update = epoch, start_update

    def __len__(self) -> int:
        """Return the number of updates of a whole epoch."""
        return self._order.updates

    def __iter__(self) -> Iterator[Any]:
        """Yield this rank's chunks of the chosen epoch.

        Raises:
            DataError: If an image cannot be read.
        """
        yield from _readable(self._loader)


class TargetEvalLoader:
    """Given batches of test images.

    Args:
        read: Returns the transformed sample of an index.
        batches: The indices of each batch.
        collate: Makes a batch of samples.
        paths: Path of each image, in the order of indices.
        num_workers: Worker processes; 0 reads in this process.
    """

    def __init__(
        self,
        read: Callable[[int], Any],
        batches: Sequence[Sequence[int]],
        collate: Callable[[list[Any]], Any],
        *,
        paths: tuple[str, ...],
        num_workers: int,
    ) -> None:
        self.paths = paths
        self._loader = DataLoader(
            _Samples(read),
            batch_sampler=list(map(list, batches)),
            **process_settings(num_workers, _Collated(collate)),
        )

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches.

        Raises:
            DataError: If an image cannot be read.
        """
        yield from _readable(self._loader)


class TestedSplit(Protocol):
    """Images that are tested, by index."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Path of each image."""

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image in its file, pixels."""


def create_test_loader(
    split: TestedSplit,
    scaling: Scaling,
    read: Callable[[int], Any],
    *,
    batch_size: int = 1,
    num_workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> TargetEvalLoader:
    """Return the loader for tests: each image once over all ranks, in batches of equal size after padding.

    So an image is padded as it is alone, and predictions do not depend on the batch size. It yields
    :class:`lsbench.data.loading.keep_ratio.EvalBatch`.

    Args:
        split: The images.
        scaling: Their size for the model.
        read: Returns the transformed image of an index, its size in the file, the index, and its target.
        batch_size: Most images of a batch.
        num_workers: Worker processes.
        rank: This process's number.
        world_size: Number of processes that share the batches.
    """
    shapes = [padded_size(scaling.size(split.size(index))) for index in range(len(split.paths))]
    batches = batches_of_equal_shape(shapes, batch_size, rank=rank, world_size=world_size)
    return TargetEvalLoader(read, batches, collate_tests, paths=split.paths, num_workers=num_workers)


class _SeededSamples(Dataset[_Result]):
    def __init__(self, read: Callable[[int], Any], seed: int) -> None:
        self._read, self._seed = read, seed

    def __getitem__(self, key: tuple[int, int]) -> _Result:
        epoch, index = key
        with seeded_rng(derive_seed(self._seed, epoch, index), restore=get_worker_info() is None):
            return _try(self._read, index)


class _Samples(Dataset[_Result]):
    def __init__(self, read: Callable[[int], Any]) -> None:
        self._read = read

    def __getitem__(self, index: int) -> _Result:
        return _try(self._read, index)


def _try(read: Callable[[int], Any], index: int) -> _Result:
    """Return a sample, or the reason: an error of a worker would reach the user with its traceback."""
    try:
        return read(index), None
    except DataError as error:
        return None, str(error)


class _Collated:
    """Collates samples, or passes on the first reason why there is none."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, results: list[_Result]) -> _Result:
        reason = next((reason for _, reason in results if reason is not None), None)
        return (self._collate([sample for sample, _ in results]), None) if reason is None else (None, reason)


class _KeySampler(Sampler[list[tuple[int, int]]]):
    """The epoch and index of each image of every chunk of this rank."""

    def __init__(self, order: ChunkOrder) -> None:
        self._order = order
        self.epoch = 0
        self.start_update = 0

    def __len__(self) -> int:
        return (self._order.updates - self.start_update) * self._order.chunks // self._order.world_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, drawn = self.epoch, self._order.draw(self.epoch)
        indices = (drawn if isinstance(drawn, Tensor) else drawn[0]).tolist()
        for chunk in self._order.positions(self.start_update):
            yield [(epoch, index) for index in indices[chunk]]


def _readable(batches: DataLoader[Any]) -> Iterator[Any]:
    for batch, reason in batches:
        if reason is not None:
            raise DataError(reason)
        yield batch
