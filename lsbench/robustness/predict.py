"""One pass over all views of many images: each image is read once, and the model sees full batches.

Several ranks share the pass: whoever is free takes the next block of images. Batches never reach across
blocks, so that a block's predictions are the same to the last bit whoever computes it, and whenever.

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
from lsbench.robustness.views import Source, ViewSamples, use_one_thread


@dataclass(frozen=True)
class Feed:
    """How images are fed to the model.

    Attributes:
        batch_size: B.
        mean: Per-channel mean for normalisation.
        std: Per-channel standard deviation.
        device: Where the model is.
        channels_last: Memory format of the images.
        num_workers: Processes that make the views; 0 makes them in this one.
    """

    batch_size: int
    mean: Rgb
    std: Rgb
    device: str = "cpu"
    channels_last: bool = False
    num_workers: int = 0


class Batches:
    """Collects views until a batch is full, and keeps what the model says about each."""

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
        """Return the most likely classes of all views since the last time, int64, on the CPU."""
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
    """The images of every block that this rank takes, which is decided as it goes."""

    def __init__(self, blocks: Sequence[range], claim: Callable[[], int]) -> None:
        """Take blocks as long as the number that `claim` gives is that of a block."""
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
        model: Maps images to logits; it is put into eval mode.
        source: Makes the views of an image.
        blocks: All images, in order.
        kept: Finished blocks: they are read, not computed; new ones are added.
        feed: How images are fed to the model.
        on_image: Called after each image with how many are done, as far as this rank knows, and with its own
            views per second.

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
    """Yield for each block how many images are done before it, if blocks are done in order."""
    for block in blocks:
        yield start
        start += len(block)


def _loader(source: Source, images: Sampler[int], feed: Feed) -> DataLoader[Any]:
    """Return a loader of one image's views after the other, in the sampler's order."""
    use_one_thread()
    return DataLoader(
        ViewSamples(source),
        sampler=images,
        batch_size=None,
        num_workers=feed.num_workers,
        worker_init_fn=use_one_thread,
        pin_memory=feed.device == "cuda",
        generator=torch.Generator(),  # else it would draw from the global one
    )
