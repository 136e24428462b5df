"""Images that keep their proportions: resizing, normalisation, padding, and batches of them.

Shapes: B images of a batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from lsbench.data.dataset import Rgb
from lsbench.data.loading.transforms import scale_and_offset

DIVISOR = 32
"""Sides of batches are multiples of this."""


class EvalBatch(NamedTuple):
    """A batch of test images; sizes are height and width in pixels.

    Attributes:
        images: Normalised and padded, float32, ``(B, 3, H, W)``.
        image_sizes: Size of each before padding.
        original_sizes: Size of each in its file.
        indices: Position of each in the split.
        targets: What each is compared with, where the loader reads it: label maps as they are in their files.
    """

    images: Tensor
    image_sizes: tuple[tuple[int, int], ...]
    original_sizes: tuple[tuple[int, int], ...]
    indices: tuple[int, ...]
    targets: tuple[Any, ...]


@dataclass(frozen=True)
class Scaling:
    """How images become the model's input.

    Attributes:
        img_size: Target of the shorter side, pixels.
        max_size: Bound of the longer side.
        mean: Per-channel mean, RGB in [0, 1].
        std: Per-channel standard deviation.
    """

    img_size: int
    max_size: int
    mean: Rgb
    std: Rgb

    def size(self, original: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of an image of this size once it is resized."""
        return keep_ratio_size(original, self.img_size, self.max_size)


def keep_ratio_size(size: tuple[int, int], img_size: int, max_size: int) -> tuple[int, int]:
    """Return the height and width of an image resized in its proportions.

    The shorter side becomes `img_size`, unless the longer one would exceed `max_size`. Sides are rounded
    half up, where torchvision rounds down.

    >>> keep_ratio_size((480, 640), 800, 1333)
    (800, 1067)

    Args:
        size: Height and width, pixels.
        img_size: Target of the shorter side.
        max_size: Bound of the longer side.
    """
    scale = min(max_size / max(size), img_size / min(size))
    height, width = (max(1, int(side * scale + 0.5)) for side in size)
    return height, width


def padded_size(size: tuple[int, int], divisor: int = DIVISOR) -> tuple[int, int]:
    """Return height and width rounded up to multiples of `divisor`.

    >>> padded_size((800, 1067))
    (800, 1088)
    """
    height, width = (-(-side // divisor) * divisor for side in size)
    return height, width


class KeepRatioResize(v2.Transform):
    """Resize image, boxes and masks in the image's proportions, see :func:`keep_ratio_size`.

    Images are interpolated linearly without antialiasing, as OpenCV does; masks take the nearest pixel.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self._scaling = scaling

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the size of the resized image."""
        height, width = v2.query_size(flat_inputs)
        return {"size": list(self._scaling.size((height, width)))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one resized input."""
        return self._call_kernel(F.resize, inpt, params["size"], antialias=False)


class Normalise(v2.Transform):
    """Turn bytes of an image into normalised float32 numbers, ``(value / 255 - mean) / std``."""

    _transformed_types = (tv_tensors.Image,)

    def __init__(self, mean: Rgb, std: Rgb) -> None:
        super().__init__()
        scale, offset = scale_and_offset(mean, std)
        self._scale, self._offset = scale[0], offset[0]

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the normalised image."""
        return inpt.as_subclass(Tensor).to(torch.float32, copy=True).mul_(self._scale).add_(self._offset)


def pad_and_stack(images: list[Tensor], divisor: int = DIVISOR) -> Tensor:
    """Return normalised images as one batch, zeros to the right of each and below, shape ``(B, C, H, W)``.

    H and W are the smallest multiples of `divisor` that hold every image.
    """
    tallest, widest = (max(image.shape[axis] for image in images) for axis in (-2, -1))
    height, width = padded_size((tallest, widest), divisor)
    batch = images[0].new_zeros((len(images), images[0].shape[0], height, width))
    for row, image in enumerate(images):
        batch[row, :, : image.shape[-2], : image.shape[-1]] = image
    return batch


def collate_tests(samples: list[tuple[Tensor, tuple[int, int], int, Any]]) -> EvalBatch:
    """Return a batch of image, size in its file, position and target of each."""
    images, originals, indices, targets = zip(*samples, strict=True)
    sizes = tuple((image.shape[-2], image.shape[-1]) for image in images)
    return EvalBatch(pad_and_stack(list(images)), sizes, originals, indices, targets)


def batches_of_equal_shape(
    shapes: list[tuple[int, int]], batch_size: int, *, rank: int = 0, world_size: int = 1
) -> list[list[int]]:
    """Return this rank's batches of test images: those of a batch have the same shape.

    No image is padded for another, so a prediction does not depend on the batch size.

    >>> batches_of_equal_shape([(2, 3), (3, 2), (2, 3), (2, 3)], 2)
    [[0, 2], [3], [1]]

    Args:
        shapes: Padded height and width of each image.
        batch_size: Most images of a batch.
        rank: This process's number; it gets the batches ``rank, rank + world_size, ...``.
        world_size: Number of processes.
    """
    same: dict[tuple[int, int], list[int]] = {}
    for index, shape in enumerate(shapes):
        same.setdefault(shape, []).append(index)
    batches = [
        images[start : start + batch_size]
        for images in same.values()
        for start in range(0, len(images), batch_size)
    ]
    return batches[rank::world_size]


def to_image(pixels: Any) -> tv_tensors.Image:
    """Return pixels of shape ``(H, W, 3)``, uint8, as an image of torchvision, shape ``(3, H, W)``.

    The channels stay innermost in memory: images are resized faster so.
    """
    return tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
