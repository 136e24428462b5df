"""The photographs of frost that imagecorruptions ships, read once per process and kept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import UsageError
from lsbench.corruptions.opencv import cv2
from lsbench.corruptions.oracle import frost_textures

Image = NDArray[np.uint8]
#: Number of the six shipped files that the benchmark draws from: it never uses the last.
TEXTURES = 5


@lru_cache(maxsize=TEXTURES)
def read_texture(index: int) -> Image:
    """Return a texture as stored, RGB, ``(H, W, 3)``.

    Args:
        index: Index of its file, from 0.

    Raises:
        UsageError: If imagecorruptions is not installed or its file cannot be read.
    """
    path = frost_textures()[index]
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise UsageError(f"expected a texture of frost, found no image in {path}; reinstall imagecorruptions")
    return np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8)


@lru_cache(maxsize=16)
def resize_texture(index: int, height: int, width: int) -> Image:
    """Return a texture resized by cubic interpolation, RGB, ``(height, width, 3)``."""
    texture = read_texture(index)
    if texture.shape[:2] == (height, width):
        return texture
    return np.asarray(cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
