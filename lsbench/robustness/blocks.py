"""Predictions of a long evaluation, kept block by block so that a finished block is never computed again.

Blocks are ranges of images. Which blocks there are depends on the number of images alone, never on the
number of processes: what one has finished, another can take over.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsbench.core.atomic import atomic_write

Predicted = NDArray[np.int16]
"""Most likely classes, shape ``(V, n)`` for V views of n images."""

MOST_IMAGES = 64
FEWEST_BLOCKS = 64

#: What numpy and zipfile raise on a file that is torn, or something else altogether.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def blocks_of(num_images: int) -> list[range]:
    """Return the images as blocks of equal size, the last perhaps smaller.

    Blocks are small enough that some processes finish at about the same time, and that little is lost with
    one of them.

    >>> [len(blocks_of(n)) for n in (40, 1000, 50_000)]
    [40, 67, 782]
    """
    size = max(1, min(MOST_IMAGES, num_images // FEWEST_BLOCKS))
    return [range(start, min(start + size, num_images)) for start in range(0, num_images, size)]


class PredictionBlocks:
    """The finished blocks in a folder, one file each."""

    def __init__(self, folder: Path, stamp: str, num_views: int) -> None:
        """Look for blocks in `folder`.

        Args:
            folder: Made when the first block is written.
            stamp: Names everything that the predictions follow from; blocks with another are passed over.
            num_views: Views of each image.
        """
        self._folder, self._stamp, self._num_views = folder, stamp, num_views

    def read(self, block: range) -> Predicted | None:
        """Return a finished block, or None if it is not there, damaged, or from something else."""
        try:
            with np.load(self._path(block), allow_pickle=False) as file:
                stamp, found = str(file["stamp"]), file["predictions"]
        except DAMAGED:
            return None
        is_whole = found.dtype == np.int16 and found.shape == (self._num_views, len(block))
        return found if is_whole and stamp == self._stamp else None

    def write(self, block: range, predictions: Predicted) -> None:
        """Keep a finished block; a reader sees all of it or nothing."""
        with atomic_write(self._path(block)) as file:
            np.savez_compressed(file, stamp=np.array(self._stamp), predictions=predictions)

    def _path(self, block: range) -> Path:
        return self._folder / f"{block.start:06d}-{block.stop:06d}.npz"
