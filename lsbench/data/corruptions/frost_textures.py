"""The photographs of frost that imagecorruptions ships, read once per process and kept."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import ConfigError

Image = NDArray[np.uint8]
#: The first five of the six files that are shipped: the benchmark draws from five and never uses the sixth.
FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


@lru_cache(maxsize=len(FILES))
def read_texture(index: int) -> Image:
    """Return a texture as it is stored, RGB, ``(H, W, 3)``.

    Args:
        index: Its place in :data:`FILES`.

    Raises:
        ConfigError: If imagecorruptions or its file is missing.
    """
    import cv2

    path = _folder() / FILES[index]
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise ConfigError(
            f"expected a texture of frost at {path}, found no readable image: reinstall imagecorruptions"
        )
    return np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8)


@lru_cache(maxsize=16)
def resize_texture(index: int, height: int, width: int) -> Image:
    """Return a texture resized by cubic interpolation, RGB, ``(height, width, 3)``."""
    import cv2

    texture = read_texture(index)
    if texture.shape[:2] == (height, width):
        return texture
    return np.asarray(cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _folder() -> Path:
    # Found without importing it: the package itself does not import beside current releases of what it needs.
    spec = find_spec("imagecorruptions")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "expected the package imagecorruptions, found none: run pip install imagecorruptions"
        )
    return Path(spec.origin).parent / "frost"
