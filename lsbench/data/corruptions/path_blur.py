"""A blur along a straight path, as ImageMagick and imagecorruptions compute it: half a Gaussian."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsbench.data.corruptions.path_blur_kernels import add_moved, widen

Plane = NDArray[np.float64]


class Path(NamedTuple):
    """The taps of a path, from the pixel itself outwards.

    Attributes:
        down: How many rows below itself a pixel is read, integers, ``(T,)``.
        right: How many columns to its right.
        weights: Weights that sum to 1.
    """

    down: NDArray[np.int64]
    right: NDArray[np.int64]
    weights: Plane


def create_path(radius: int, sigma: float, angle: float) -> Path:
    """Return the path of ``2 * radius + 1`` taps that leaves a pixel at `angle`.

    Args:
        radius: Half of the path's length in pixels.
        sigma: Standard deviation of the weights in pixels.
        angle: Degrees, clockwise from pointing to the right.

    Source:
        ``MotionBlurImage`` of ImageMagick 6 (``magick/effect.c``).
    """
    width = 2 * radius + 1
    bell = np.exp(-(np.arange(width) ** 2) / (2 * (sigma**2))) / (np.sqrt(2 * np.pi) * sigma)
    down, right = width * np.sin(np.deg2rad(angle)), width * np.cos(np.deg2rad(angle))
    length = math.hypot(down, right)
    steps = [
        (math.ceil(tap * down / length - 0.5), math.ceil(tap * right / length - 0.5)) for tap in range(width)
    ]
    rows, columns = np.array(steps).T
    return Path(rows, columns, bell / np.sum(bell))


def within(path: Path, shape: tuple[int, ...]) -> Path:
    """Return the taps before the first that leaves a plane of `shape`; those after it are dropped, too."""
    leaves = (abs(path.down) >= shape[0]) | (abs(path.right) >= shape[1])
    end = int(leaves.argmax()) if leaves.any() else leaves.size
    return Path(path.down[:end], path.right[:end], path.weights[:end])


def blur_along(plane: NDArray[np.generic], path: Path, *, scale: float = 1.0, channels: int = 1) -> Plane:
    """Return `plane` times `scale`, blurred along a path; outside of it its border is met.

    Args:
        plane: Numbers, ``(H, W * channels)``, the channels of a pixel together.
        path: The path.
        scale: What each number is multiplied by before it is weighted.
        channels: Numbers of a pixel.
    """
    margin = int(max(abs(path.down).max(), abs(path.right).max()))
    height, length = plane.shape
    wide = np.empty((height + 2 * margin, length + 2 * margin * channels))
    widen(plane, margin, channels, scale, wide)
    starts = (path.down + margin) * wide.shape[1] + (path.right + margin) * channels
    blurred = np.empty(plane.shape)
    add_moved(wide.ravel(), starts, path.weights, wide.shape[1], blurred)
    return blurred
