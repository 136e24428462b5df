"""Images of one split with their boxes and masks, as tensors.

Shapes: N objects, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision import tv_tensors

from lsbench.core.errors import DataError
from lsbench.data.detection.annotations import Annotations, other_size, read_annotations
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.detection.transforms import Sample
from lsbench.data.loading.image_files import ImageFiles, spread
from lsbench.data.loading.keep_ratio import to_image


@dataclass(frozen=True)
class DetectionSplit:
    """Images of one split, all or those for training.

    Attributes:
        annotations: Images and objects of the whole split.
        files: The images of the whole split.
        rows: The images in use, in ascending order of their ids.
        has_masks: Whether targets include masks.
    """

    annotations: Annotations
    files: ImageFiles
    rows: tuple[int, ...]
    has_masks: bool

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def paths(self) -> tuple[str, ...]:
        """Path of each image in use below the folder of images."""
        return tuple(self.annotations.names[row] for row in self.rows)

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image in use, pixels, as the JSON file says."""
        height, width = self.annotations.sizes[self.rows[index]].tolist()
        return height, width

    def is_wide(self) -> NDArray[np.bool_]:
        """Return whether each image in use is wider than high."""
        sizes = self.annotations.sizes[list(self.rows)]
        return np.asarray(sizes[:, 1] > sizes[:, 0])

    def read(self, index: int) -> Sample:
        """Return an image, uint8, and the boxes, labels and masks of its objects for training.

        Boxes have the corners x1 y1 x2 y2 in pixels, float32, ``(N, 4)``, also if N is 0; labels are classes
        from 0, int64; masks are bytes, 0 or 1, ``(N, H, W)``.

        Raises:
            DataError: If the image cannot be read, or has another size than the JSON file says.
        """
        row = self.rows[index]
        image = self.decode(index)
        height, width = image.shape[-2:]
        found = self.annotations
        objects = found.objects(row)
        kept = np.flatnonzero(self._is_trained_on[objects]) + objects.start
        corners = found.boxes_xywh[kept].copy()
        corners[:, 2:] += corners[:, :2]
        target: dict[str, Any] = {
            "boxes": tv_tensors.BoundingBoxes(
                torch.from_numpy(corners).float().reshape(-1, 4), format="XYXY", canvas_size=(height, width)
            ),
            "labels": torch.from_numpy(found.labels[kept]),
        }
        if self.has_masks and found.outlines is not None:
            target["masks"] = tv_tensors.Mask(
                torch.from_numpy(found.outlines.masks(kept.tolist(), height, width))
            )
        return image, target

    def decode(self, index: int) -> tv_tensors.Image:
        """Return an image, uint8, ``(3, H, W)``.

        Raises:
            DataError: If it cannot be read, or has another size than the JSON file says.
        """
        row = self.rows[index]
        pixels = np.array(self.files.decode(row))
        if pixels.shape[:2] != self.size(index):
            path, found = self.files.folder / self.files.paths[row], pixels.shape[:2]
            raise DataError(other_size(path, found, self.size(index), self.annotations.file))
        return to_image(pixels)

    @cached_property
    def _is_trained_on(self) -> NDArray[np.bool_]:
        return self.annotations.is_trained_on()


def open_split(data: DetectionFiles, split: str, *, with_masks: bool, for_training: bool) -> DetectionSplit:
    """Return the images of a split, at most ``data.limit`` of them, evenly spaced.

    Args:
        data: A prepared data set.
        split: One of its splits.
        with_masks: Whether masks are needed.
        for_training: Leave out images without an object for training, and those below 32 pixels.

    Raises:
        DataError: If the split is missing, its JSON file is not as expected, no image is left, or masks are
            needed and not there.
    """
    annotations = read_annotations(data.split(split), data.category_ids, with_outlines=with_masks)
    problem = annotations.without_masks() if with_masks else None
    problem = problem or (annotations.without_training_images() if for_training else None)
    if problem is not None:
        raise DataError(problem)
    rows: Sequence[int] = annotations.training_images().tolist() if for_training else range(len(annotations))
    kept = tuple(rows[place] for place in spread(len(rows), data.limit))
    return DetectionSplit(annotations, ImageFiles(data.images[split], annotations.names), kept, with_masks)
