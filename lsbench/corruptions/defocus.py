"""Defocus: blurring with a disk."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.grey import Image, to_bytes, to_shares
from lsbench.corruptions.opencv import cv2


def defocus_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Blur with a disk of 3 to 10 pixels; draws nothing."""
    del rng
    kernel = disk(*((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity - 1])
    # All channels at once, and in float64: for kernels of this size OpenCV takes a Fourier transform.
    blurred = cv2.filter2D(to_shares(image).reshape(image.shape), -1, kernel)
    return to_bytes(np.asarray(blurred), image.shape)


@cache
def disk(radius: int, alias_blur: float) -> NDArray[np.float32]:
    """Return the package's disk of `radius` pixels, its rim softened by a Gaussian of `alias_blur`."""
    reach, size = (8, (3, 3)) if radius <= 8 else (radius, (5, 5))
    steps = np.arange(-reach, reach + 1)
    inside = (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.float32)
    inside /= np.sum(inside)
    softened: Any = cv2.GaussianBlur(inside, ksize=size, sigmaX=alias_blur)
    return np.asarray(softened)
