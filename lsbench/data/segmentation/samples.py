"""Images of one split with their label maps, as tensors.

Shapes: H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import tv_tensors

from lsbench.core.errors import DataError
from lsbench.data.loading.image_files import ImageFiles, spread
from lsbench.data.loading.keep_ratio import to_image
from lsbench.data.segmentation.folders import IGNORED, LabelMapFolders, list_pairs


@dataclass(frozen=True)
class SegmentationSplit:
    """Images and label maps of one split.

    Attributes:
        images: The images in use, sorted by name.
        label_maps: Their label maps.
        num_classes: Number of classes.
        reduce_zero_label: As in ``LabelMapFolders``.
    """

    images: ImageFiles
    label_maps: ImageFiles
    num_classes: int
    reduce_zero_label: bool

    def __len__(self) -> int:
        return len(self.images)

    @property
    def paths(self) -> tuple[str, ...]:
        """File name of each image in use."""
        return self.images.paths

    def image(self, index: int) -> tv_tensors.Image:
        """Return an image, uint8, ``(3, H, W)``.

        Raises:
            DataError: If it cannot be read.
        """
        return to_image(np.array(self.images.decode(index)))

    def label_map(self, index: int) -> NDArray[np.uint8]:
        """Return the classes of an image's pixels, 255 where they do not count, ``(H, W)``.

        Raises:
            DataError: If the label map cannot be read, or holds a label beyond the classes.
        """
        stored = read_label_map(self.label_maps, index)
        found = reduced(stored) if self.reduce_zero_label else stored
        check_labels(found, self.label_maps.folder / self.label_maps.paths[index], self)
        return found

    def read(self, index: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        """Return an image, uint8 ``(3, H, W)``, and its classes, uint8 ``(H, W)``.

        Raises:
            DataError: As :meth:`image` and :meth:`label_map`, or if their sizes differ.
        """
        image, label_map = self.image(index), self.label_map(index)
        check_sizes(
            (image.shape[-2], image.shape[-1]),
            label_map.shape,
            self.images.folder / self.images.paths[index],
            self.label_maps.folder / self.label_maps.paths[index],
        )
        return image, tv_tensors.Mask(torch.from_numpy(label_map))

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image, pixels; only the head of the file is read.

        Raises:
            DataError: If it cannot be read.
        """
        with self.images.open(index) as file, Image.open(file) as image:
            width, height = image.size
        return height, width


def open_split(data: LabelMapFolders, split: str) -> SegmentationSplit:
    """Return the images of a split, at most ``data.limit`` of them, evenly spaced.

    Raises:
        DataError: If the split is missing or empty, or an image has no label map.
    """
    pairs = list_pairs(data.split(split), data.label_maps[split])
    kept = [pairs[place] for place in spread(len(pairs), data.limit)]
    images, maps = zip(*kept, strict=True)
    return SegmentationSplit(
        ImageFiles(data.split(split), images),
        ImageFiles(data.label_maps[split], maps),
        data.num_classes,
        data.reduce_zero_label,
    )


def read_label_map(files: ImageFiles, index: int) -> NDArray[np.uint8]:
    """Return a label map as it is stored, uint8, ``(H, W)``.

    Raises:
        DataError: If it cannot be read, or is in colour or of more than one byte a pixel.
    """
    with files.open(index) as file, Image.open(file) as image:
        if image.mode not in ("L", "P", "1"):
            raise DataError(
                f"expected a label map of one byte a pixel at {files.folder / files.paths[index]}, found "
                f"mode {image.mode}; store class numbers as an 8-bit grey PNG"
            )
        return np.array(image, dtype=np.uint8)


def reduced(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels that count from 1 as classes from 0; 0 becomes 255, and 255 stays.

    >>> reduced(np.array([0, 1, 150, 255], dtype=np.uint8)).tolist()
    [255, 0, 149, 255]
    """
    return np.where((labels == 0) | (labels == IGNORED), IGNORED, labels - np.uint8(1)).astype(np.uint8)


def check_labels(labels: NDArray[np.uint8], path: Path, split: SegmentationSplit) -> None:
    """Check that a label map holds classes and ignored pixels alone.

    Raises:
        DataError: If it holds another label; names the first.
    """
    is_beyond = (labels >= split.num_classes) & (labels != IGNORED)
    if is_beyond.any():
        row, column = (int(places[0]) for places in np.nonzero(is_beyond))
        first = int(split.reduce_zero_label)
        raise DataError(
            f"expected labels from {first} to {split.num_classes - 1 + first}, or {IGNORED} for pixels that "
            f"do not count, in {path}, found {int(labels[row, column]) + first} at row {row}, column "
            f"{column}; "
            "correct the label map or the list of classes"
        )


def check_sizes(image: tuple[int, ...], label_map: tuple[int, ...], image_path: Path, map_path: Path) -> None:
    """Check that a label map has the size of its image; sizes are height and width.

    Raises:
        DataError: If it has not.
    """
    if image != label_map:
        raise DataError(
            f"expected {map_path} with {image[0]} x {image[1]} pixels like {image_path}, found "
            f"{label_map[0]} x {label_map[1]} (height x width); correct one of them"
        )
