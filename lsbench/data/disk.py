"""Loaders for data sets read from disk anew each epoch, by worker processes if wanted.

The sampler hands out ``(epoch, index)`` pairs and every sample seeds its own randomness from them, so
that a batch is the same with any number of workers, and workers may live on from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from lsbench.data.image_folder import ImageList
from lsbench.data.sample_rng import derive_seed, seeded_rng
from lsbench.data.transforms import Transform

Batch = tuple[Tensor, Tensor]
SampleKey = tuple[int, int]


class TrainSamples(Dataset[tuple[Tensor, int]]):
    """Transformed training images by ``(epoch, index)``."""

    def __init__(self, images: ImageList, transform: Transform, seed: int) -> None:
        self._images, self._transform, self._seed = images, transform, seed

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, int]:
        epoch, index = key
        image = self._images.decode(index)
        with seeded_rng(derive_seed(self._seed, epoch, index), restore=get_worker_info() is None):
            return self._transform(image), self._images.targets[index]


class EvalSamples(Dataset[tuple[Tensor, int]]):
    """Transformed images in listing order."""

    def __init__(self, images: ImageList, transform: Transform) -> None:
        self._images, self._transform = images, transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._images.decode(index)), self._images.targets[index]

    def __len__(self) -> int:
        return len(self._images)


class EpochSampler(Sampler[SampleKey]):
    """Every sample once, in an order that follows from seed and epoch."""

    def __init__(self, num_images: int, seed: int) -> None:
        self._num_images, self._seed = num_images, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._num_images

    def __iter__(self) -> Iterator[SampleKey]:
        generator = torch.Generator().manual_seed(derive_seed(self._seed, self.epoch))
        for index in torch.randperm(self._num_images, generator=generator).tolist():
            yield self.epoch, index


class DiskTrainLoader:
    """Random training batches from disk; the last, incomplete batch is dropped."""

    def __init__(
        self, images: ImageList, transform: Transform, *, batch_size: int, seed: int, num_workers: int
    ) -> None:
        self._sampler = EpochSampler(len(images), seed)
        self._loader = DataLoader(
            TrainSamples(images, transform, seed),
            batch_size,
            sampler=self._sampler,
            drop_last=True,
            **_process_settings(num_workers),
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and augmentation the next iteration uses."""
        self._sampler.epoch = epoch

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        yield from self._loader


class DiskEvalLoader:
    """All images in listing order from disk; the last batch may be smaller."""

    def __init__(self, images: ImageList, transform: Transform, *, batch_size: int, num_workers: int) -> None:
        self._loader = DataLoader(
            EvalSamples(images, transform), batch_size, shuffle=False, **_process_settings(num_workers)
        )
        self.paths = images.paths

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        yield from self._loader


def _process_settings(num_workers: int) -> dict[str, Any]:
    """Return the DataLoader arguments that change speed but never a batch.

    The generator keeps DataLoader from drawing its workers' seeds from the global one, which would
    change what a resumed run draws next.
    """
    return {
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),
    }
