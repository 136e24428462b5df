"""Checkers: checkerboards whose class is one of four field widths."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lsbench.core.ids import content_hash
from lsbench.data.cache import materialise
from lsbench.data.dataset import SPLITS, DatasetSpec, ImageFolders

WIDTHS = {"w02": 2, "w04": 4, "w08": 8, "w16": 16}
SIDE = 32
VERSION = 1


class CheckersSpec(DatasetSpec):
    """Boards of four widths in equal numbers; image counts are multiples of four.

    Attributes:
        name: ``checkers``.
        img_size: Size to which the 32x32 boards are resized.
        train_images: Number of training images.
        val_images: Number of validation images.
        test_images: Number of test images.
    """

    name: Literal["checkers"] = "checkers"
    img_size: int = Field(default=SIDE, ge=8)
    train_images: int = Field(default=400, ge=4, multiple_of=4)
    val_images: int = Field(default=100, ge=4, multiple_of=4)
    test_images: int = Field(default=200, ge=4, multiple_of=4)


class Checkers:
    """The boards as PNG folders in lsbench's cache."""

    spec = CheckersSpec
    in_memory = True

    def fingerprint(self, spec: CheckersSpec, data_root: Path | None) -> str:
        """Return the hash of the image counts and the version of the drawing code."""
        counts = {split: self.num_images(spec, split) for split in SPLITS}
        return content_hash({"version": VERSION, "counts": counts}, length=64)

    def prepare(self, spec: CheckersSpec, data_root: Path | None) -> ImageFolders:
        """Return the image folders, written to the cache on first use."""

        def write(folder: Path) -> None:
            for number, split in enumerate(SPLITS):
                _write_split(folder / split, self.num_images(spec, split) // len(WIDTHS), seed=number)

        root = materialise(spec.name, self.fingerprint(spec, data_root), write)
        return ImageFolders(root, {split: root / split for split in SPLITS}, tuple(WIDTHS))

    def num_classes(self, spec: CheckersSpec, data_root: Path | None = None) -> int:
        """Return the number of widths."""
        return len(WIDTHS)

    def num_images(self, spec: CheckersSpec, split: str) -> int:
        """Return the image count of `split` according to the spec."""
        return int(getattr(spec, f"{split}_images"))


def _write_split(folder: Path, per_class: int, *, seed: int) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    rows, cols = np.indices((SIDE, SIDE))
    for name, width in WIDTHS.items():
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            shift = rng.integers(0, 2 * width, 2)
            board = ((rows + shift[0]) // width + (cols + shift[1]) // width) % 2
            colours = rng.integers(0, 256, (2, 3))
            noisy = colours[board] + rng.normal(0, 8, (SIDE, SIDE, 3))
            pixels = noisy.round().clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:04d}.png")


DATASET = Checkers()
