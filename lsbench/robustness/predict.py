"""One pass over all views of many images: each image is read once, and the model sees full batches.

Several ranks share the pass: each free rank takes the next block of images. Batches never span two blocks, so
a block's predictions are bit-identical whichever rank computes it, and whenever.

Shapes: V views of an image, n images of a block, B images of a batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from lsbench.core.errors import DataError
from lsbench.data.dataset import Rgb
from lsbench.data.loading.transforms import scale_and_offset
from lsbench.engine.distributed import current_world, from_first_rank, gather_over_ranks, shared_counter
from lsbench.robustness.blocks import Predicted, PredictionBlocks
from lsbench.robustness.views import Source, ViewSamples, prepare_process


@dataclass(frozen=True)
class Feed:
    """Settings for feeding images to the model.

    Attributes:
        batch_size: B.
        mean: Per-channel mean for normalisation.
        std: Per-channel standard deviation.
        device: The model's device.
        channels_last: Memory format of the images.
        num_workers: Processes that make the views; 0 makes them in the main process.
    """

    batch_size: int
    mean: Rgb
    std: Rgb
    device: str = "cpu"
    channels_last: bool = False
    num_workers: int = 0


class Batches:
    """Collects views until a batch is full, and keeps the model's prediction for each."""

    def __init__(self, model: nn.Module, feed: Feed) -> None:
        self._model, self._feed = model, feed
        self._scale, self._offset = (part.to(feed.device) for part in scale_and_offset(feed.mean, feed.std))
        self._images: Tensor | None = None
        self._filled = 0
        self._said: list[Tensor] = []

    def add(self, pixels_VHWC: Tensor) -> None:  # noqa: N803 - the shape
        """Add the views of one image, uint8; the model runs whenever a batch is full."""
        batch = self._buffer(pixels_VHWC)
        moved = pixels_VHWC.to(self._feed.device, non_blocking=True).permute(0, 3, 1, 2)
        start = 0
        while start < len(moved):
            part = moved[start : start + len(batch) - self._filled]
            # One pass over the pixels: it gathers, converts and reorders them.
            batch[self._filled : self._filled + len(part)].copy_(part)
            self._filled += len(part)
            start += len(part)
            if self._filled == len(batch):
                self._run()

    def finish(self) -> Tensor:
        """Return the most likely classes of all views since the last call, int64, on the CPU."""
        if self._filled:
            self._run()
        said, self._said = self._said, []
        return torch.cat(said).cpu()

    def _buffer(self, pixels_VHWC: Tensor) -> Tensor:  # noqa: N803 - the shape
        if self._images is None:
            _, height, width, channels = pixels_VHWC.shape
            layout = torch.channels_last if self._feed.channels_last else torch.contiguous_format
            shape = (self._feed.batch_size, channels, height, width)
            self._images = torch.empty(shape, device=self._feed.device, memory_format=layout)
        return self._images

    def _run(self) -> None:
        if self._images is not None:
            images = self._images[: self._filled].mul_(self._scale).add_(self._offset)
            self._said.append(self._model(images).argmax(dim=1))
        self._filled = 0


class ClaimedImages(Sampler[int]):
    """The images of the blocks that this rank claims, one block at a time."""

    def __init__(self, blocks: Sequence[range], claim: Callable[[], int]) -> None:
        """Claim blocks while `claim` returns the number of a block."""
        self._blocks, self._claim = blocks, claim

    def __iter__(self) -> Iterator[int]:
        while (number := self._claim()) < len(self._blocks):
            yield from self._blocks[number]


@torch.inference_mode()
def predict_views(
    model: nn.Module,
    source: Source,
    blocks: Sequence[range],
    kept: PredictionBlocks,
    feed: Feed,
    on_image: Callable[[int, float], None] = lambda seen, rate: None,
) -> Predicted:
    """Return the most likely class of every view of every image, int16, shape ``(V, N)``.

    Args:
        model: Maps images to logits; set to eval mode.
        source: Makes the views of an image.
        blocks: All images, in order.
        kept: Store of finished blocks: those in it are read, new ones are added.
        feed: Settings for feeding images to the model.
        on_image: Called after each image with the number of images done, as far as this rank knows, and with
            this rank's views per second.

    Raises:
        DataError: If an image cannot be read.
    """
    model.eval()
    first = current_world().is_first
    done = {block: found for block in blocks if first and (found := kept.read(block)) is not None}
    todo: list[range] = from_first_rank([block for block in blocks if block not in done])
    finished_before = sum(map(len, blocks)) - sum(map(len, todo))
    images_before = dict(zip((block.start for block in todo), _starts(todo, finished_before), strict=True))
    ends = {block.stop - 1: block for block in todo}
    batches, started, seen = Batches(model, feed), time.monotonic(), 0
    stream = _loader(source, ClaimedImages(todo, shared_counter()), feed)
    for own, (index, pixels, problem) in enumerate(stream, 1):
        if problem:
            raise DataError(problem)
        batches.add(pixels)
        seen = images_before.get(index, seen) + 1
        if block := ends.get(index):
            said = batches.finish().reshape(len(block), source.num_views)
            done[block] = said.T.numpy().astype(np.int16)
            kept.write(block, done[block])
        on_image(seen, own * source.num_views / (time.monotonic() - started))
    for share in gather_over_ranks(done):
        done |= share
    return np.concatenate([done[block] for block in blocks], axis=1)


def _starts(blocks: Sequence[range], start: int) -> Iterator[int]:
    """Yield for each block the number of images in the blocks before it."""
    for block in blocks:
        yield start
        start += len(block)


def _loader(source: Source, images: Sampler[int], feed: Feed) -> DataLoader[Any]:
    """Return a loader that yields the views of one image at a time, in the sampler's order."""
    prepare_process()
    return DataLoader(
        ViewSamples(source),
        sampler=images,
        batch_size=None,
        num_workers=feed.num_workers,
        worker_init_fn=prepare_process,
        pin_memory=feed.device == "cuda",
        generator=torch.Generator(),  # keeps it from drawing from the global generator
    )
