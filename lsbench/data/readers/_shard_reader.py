"""Images of indexed tar shards by number, with random access."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsbench.data.readers._shard_index import Member

MOST_OPEN = 64
"""Shards that a process keeps open; a thousand would exceed the usual limit of open files."""


class ShardReader:
    """Images of WebDataset shards by number.

    timm's own ReaderWds streams: it reads shards from start to end and shuffles within a buffer. It has no
    access by number, so the order would depend on the number of workers, a copy of repeated augmentation
    could not follow its image into another batch, and a run could not resume in the middle of an epoch.
    timm's ReaderImageInTar treats each shard as a class. With the offset of each image known in advance, a
    shard is as good as a folder, with one read per image.
    """

    def __init__(self, shards: Sequence[Path], indices: Sequence[Sequence[Member]], targets: Sequence[int]):
        """Take the shards, the images of each, and the class index of every image in that order."""
        self._shards = tuple(str(shard) for shard in shards)
        self._members = [(number, member) for number, members in enumerate(indices) for member in members]
        self._targets = targets
        self._files: dict[int, io.FileIO] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: int) -> tuple[io.BytesIO, int]:
        """Return the image's bytes as a file, and its class index.

        Raises:
            OSError: If the shard is missing or has been truncated.
        """
        number, member = self._members[index]
        content = os.pread(self._open(number).fileno(), member.size, member.offset)
        if len(content) != member.size:
            raise OSError(f"shard {self._shards[number]} ended early")
        return io.BytesIO(content), self._targets[index]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def _open(self, number: int) -> io.FileIO:
        # Each read states its position, so processes that share an open file do not disturb each other.
        if number not in self._files:
            if len(self._files) >= MOST_OPEN:
                self._files.pop(next(iter(self._files))).close()
            self._files[number] = io.FileIO(self._shards[number])
        return self._files[number]

    def filename(self, index: int, basename: bool = False, absolute: bool = False) -> str:
        """Return the name of an image: without folders, or after the path of its shard."""
        number, member = self._members[index]
        if basename:
            return member.name
        return f"{self._shards[number]}/{member.path}" if absolute else member.path
