"""Digital effects, bit for bit as in imagecorruptions 1.1.2.

The same random stream gives the same bytes and ends in the same state; only elastic_transform draws.

Source:
    Hendrycks & Dietterich, ICLR 2019, arXiv:1903.12261; Michaelis et al., arXiv:1907.07484.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.Image import Resampling

from lsbench.corruptions.correlate import gaussian
from lsbench.corruptions.digital_kernels import DIGITS, displace, enlarge_means, lower_contrast
from lsbench.corruptions.draws import draw_uniform
from lsbench.corruptions.hsv_kernels import adjust
from lsbench.corruptions.opencv import cv2

Image = NDArray[np.uint8]
#: ``byte / 255`` of each byte.
UNITS: NDArray[np.float64] = np.arange(256) / 255.0
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
#: Per severity: factor and offset of the saturation.
SATURATION = ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2))
QUALITY = (25, 18, 15, 10, 7)
#: Per severity: scale of each side.
SIDES = (0.6, 0.5, 0.4, 0.3, 0.25)
#: Per severity: factor of the smoothed displacements.
ELASTIC = (250 * 0.05, 250 * 0.065, 250 * 0.085, 250 * 0.1, 250 * 0.12)


def contrast(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` with each channel nearer to its mean; draws nothing."""
    flatter = np.empty_like(image)
    lower_contrast(image, UNITS, CONTRAST[severity - 1], flatter)
    return flatter


def elastic_transform(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` with each pixel read at a slight offset: noise, smoothed over one percent of the width.

    This differs from the benchmark: it is far weaker at severity 1 and 2. Draws a uniform number per pixel
    for the vertical, then one for the horizontal displacement; both scale with the image's height.
    """
    height, width = image.shape[:2]
    spread = height * 0.005

    def displacement() -> NDArray[np.float32]:
        noise = draw_uniform(rng, -spread, spread, (height, width))
        smoothed = gaussian(noise, 1, (height * 0.01, width * 0.01), 3.0, "reflect")
        return (smoothed * ELASTIC[severity - 1]).astype(np.float32)

    right, down = displacement(), displacement()
    return displaced(image.astype(np.float32) / np.float32(255), down, right)


def displaced(levels: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]) -> Image:
    """Return an image read at displaced places, in bytes.

    Args:
        levels: Pixels in [0, 1], ``(H, W, 3)``.
        down: Downward offset of each read, ``(H, W)``.
        right: Offset to the right.
    """
    moved = np.empty(levels.shape, np.uint8)
    displace(levels, down, right, moved)
    return moved


def pixelate(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image`, reduced by averaging and enlarged by repeating pixels; draws nothing.

    Of high images, Pillow 13 averages rows before columns, unlike its predecessors, so these are left to it.
    """
    height, width = image.shape[:2]
    small = int(height * SIDES[severity - 1]), int(width * SIDES[severity - 1])
    if height > width:
        reduced = PillowImage.fromarray(image).resize(small[::-1], Resampling.BOX)
        return np.array(reduced.resize((width, height), Resampling.NEAREST))
    enlarged = np.empty(image.shape, np.uint8)
    enlarge_means(
        image.reshape(-1), *_means(height, small[0]), *_means(width, small[1]), enlarged.reshape(-1)
    )
    return enlarged


@lru_cache(maxsize=64)
def _means(size: int, count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint64]]:
    """Return how `size` pixels become `count` means and are enlarged again, see :func:`enlarge_means`.

    In Pillow's arithmetic: a pixel is part of a mean if its centre lies within; rounding decides at edges.
    """
    scale = size / count
    centres = (np.arange(count) + 0.5) * scale
    first = np.maximum((centres - 0.5 * scale + 0.5).astype(np.int64), 0)
    place = first[:, None] + np.arange(int(scale) + 2)
    offset = (place - centres[:, None] + 0.5) * (1 / scale)
    is_tried = place < np.minimum((centres + 0.5 * scale + 0.5).astype(np.int64), size)[:, None]
    is_within = is_tried & (offset > -0.5) & (offset <= 0.5)
    number = is_within.sum(1)
    begin = first + is_within.argmax(1)
    row = PillowImage.fromarray(np.arange(count, dtype=np.int32)[None])
    repeated = np.asarray(row.resize((size, 1), Resampling.NEAREST))[0]
    weights = (1 / number * (1 << int(DIGITS)) + 0.5).astype(np.uint32)
    return np.stack([begin, begin + number]).astype(np.uint64), weights, repeated.astype(np.uint64)


def jpeg_compression(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` after a round trip through JPEG with 4:2:0 chroma; draws nothing.

    OpenCV's codec gives Pillow's bytes in half the time.
    """
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY[severity - 1]]
    _, stored = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def saturate(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` with another saturation in HSV: less at severity 1 and 2, more above; draws nothing."""
    factor, added = SATURATION[severity - 1]
    coloured = np.empty_like(image)
    adjust(image, UNITS, factor, added, 0.0, coloured)
    return coloured


#: The kinds of this file by name.
CORRUPTIONS = {
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
    "saturate": saturate,
}
