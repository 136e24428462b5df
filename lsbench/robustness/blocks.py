"""Predictions of a long evaluation, kept block by block so that a finished block is never computed again.

Blocks are ranges of images. They depend on the number of images alone, never on the number of processes, so
that one process can use the blocks that another has finished.
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

#: Raised by numpy and zipfile on a file that is torn or of another format.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def blocks_of(num_images: int) -> list[range]:
    """Split the images into blocks of equal size; the last may be smaller.

    Blocks are small enough that several processes finish at about the same time, and that little work is lost
    if one of them dies.

    >>> [len(blocks_of(n)) for n in (40, 1000, 50_000)]
    [40, 67, 782]
    """
    size = max(1, min(MOST_IMAGES, num_images // FEWEST_BLOCKS))
    return [range(start, min(start + size, num_images)) for start in range(0, num_images, size)]


class PredictionBlocks:
    """The finished blocks in a folder, one file each."""

    def __init__(self, folder: Path, stamp: str, num_views: int) -> None:
        """Use the blocks in `folder`.

        Args:
            folder: Created when the first block is written.
            stamp: Identifies everything that the predictions depend on; blocks with another stamp are
                ignored.
            num_views: Views of each image.
        """
        self._folder, self._stamp, self._num_views = folder, stamp, num_views

    def read(self, block: range) -> Predicted | None:
        """Return a finished block, or None if it is missing, damaged, or has another stamp."""
        try:
            with np.load(self._path(block), allow_pickle=False) as file:
                stamp, found = str(file["stamp"]), file["predictions"]
        except DAMAGED:
            return None
        is_whole = found.dtype == np.int16 and found.shape == (self._num_views, len(block))
        return found if is_whole and stamp == self._stamp else None

    def write(self, block: range, predictions: Predicted) -> None:
        """Save a finished block; a reader sees all of it or nothing."""
        with atomic_write(self._path(block)) as file:
            np.savez_compressed(file, stamp=np.array(self._stamp), predictions=predictions)

    def _path(self, block: range) -> Path:
        return self._folder / f"{block.start:06d}-{block.stop:06d}.npz"
