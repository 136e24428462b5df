"""Weather, bit for bit as in imagecorruptions 1.1.2; spatter counts as weather here.

The same random stream gives the same bytes and ends in the same state. The package's edge cases are kept: fog
needs a brightest level above 0 to show, and spatter without any drop, which happens on small images, turns
the image black.

Source:
    Hendrycks & Dietterich, ICLR 2019, arXiv:1903.12261; Michaelis et al., arXiv:1907.07484.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.blur import motion_blurred
from lsbench.corruptions.correlate import gaussian, gaussian_single
from lsbench.corruptions.draws import draw_normal, draw_normal_rows, draw_uniform
from lsbench.corruptions.frost_textures import TEXTURES, read_texture, resize_texture
from lsbench.corruptions.hsv_kernels import adjust
from lsbench.corruptions.opencv import cv2
from lsbench.corruptions.snow_kernels import enlarge, lay_mud, lay_snow, lay_water
from lsbench.corruptions.weather_kernels import grow_plasma, lay_fog, mix

Image = NDArray[np.uint8]
Plane = NDArray[np.float64]
#: ``byte / 255`` of each byte.
UNITS: Plane = np.arange(256) / 255.0
#: Per severity: mean and deviation of the noise, its enlargement, the threshold of a flake, radius and
#: deviation of the blur, fraction of the image that is not whitened.
SNOW = (
    (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)
#: Per severity: weights of the image and of the frost.
FROST = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
#: Per severity: amount added by the thickest fog, and the decay of its details.
FOG = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
#: Per severity: mean and deviation of the noise, width of its blur, the threshold of liquid, and the opacity
#: of water (severity 1 to 3) or the width of a second blur, of mud.
SPATTER = (
    (0.65, 0.3, 4.0, 0.69, 0.6),
    (0.65, 0.3, 3.0, 0.68, 0.6),
    (0.65, 0.3, 2.0, 0.68, 0.5),
    (0.65, 0.3, 1.0, 0.65, 1.5),
    (0.67, 0.4, 1.0, 0.65, 1.5),
)
#: Highest severity at which spatter is water.
WATER_UP_TO = 3
WATER = np.array([175 / 255.0, 238 / 255.0, 238 / 255.0], np.float32)
MUD = np.array([63 / 255.0, 42 / 255.0, 20 / 255.0])
RELIEF_KERNEL = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def snow(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` under flakes of blurred noise that fall at a random angle.

    Draws a normal number per pixel, then the angle.
    """
    mean, deviation, zoom, threshold, radius, sigma, kept = SNOW[severity - 1]
    flakes = draw_flakes(rng, (image.shape[0], image.shape[1]), mean, deviation, zoom, threshold)
    blurred = motion_blurred(flakes, 1, radius, sigma, rng.uniform(-135, -45))
    layer = np.round(blurred[: image.shape[0], : image.shape[1]] * 255).astype(np.uint8)
    return under_snow(image, layer, kept)


def draw_flakes(
    rng: RandomState, shape: tuple[int, int], mean: float, deviation: float, zoom: float, threshold: float
) -> Plane:
    """Return the middle of a plane of normal numbers, enlarged to at least the whole plane's size.

    Args:
        rng: Draws the whole plane.
        shape: ``(H, W)``.
        mean: Mean of the numbers.
        deviation: Standard deviation of the numbers.
        zoom: Enlargement of the middle.
        threshold: Enlarged numbers below it become 0.
    """
    height, width = (math.ceil(side / float(zoom)) for side in shape)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    noise = draw_normal_rows(rng, mean, deviation, shape, range(top, top + height))
    enlarged = np.empty((round(height * zoom), round(width * zoom)))
    enlarge(np.ascontiguousarray(noise[:, left : left + width]), threshold, enlarged)
    return enlarged


def under_snow(image: Image, flakes: Image, kept: float) -> Image:
    """Return `image`, whitened, with flakes and the same flakes turned by 180 degrees on it.

    Args:
        image: Pixels, ``(H, W, 3)``.
        flakes: Brightness of the flakes, ``(H, W)``.
        kept: Fraction of the image that is not whitened.
    """
    levels = to_levels(image)
    grey = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
    snowy = np.empty_like(image)
    lay_snow(levels, grey, np.ascontiguousarray(flakes), UNITS, np.float32(kept), np.float32(1 - kept), snowy)
    return snowy


def frost(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` mixed with a random part of one of five photographs of frost.

    The photograph is enlarged by 1.1, and before that to the image's size if it is smaller. Draws the
    photograph (of the first five files, never the sixth), then the first row and column of the crop.
    """
    index = int(rng.randint(TEXTURES))
    height, width = read_texture(index).shape[:2]
    scale = 1.1 * max(1.0, image.shape[0] / height, image.shape[1] / width)
    texture = resize_texture(index, math.ceil(height * scale), math.ceil(width * scale))
    return under_frost(image, texture, severity, rng)


def under_frost(image: Image, texture: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` mixed with a random part of `texture`, which is larger than it."""
    top = rng.randint(0, texture.shape[0] - image.shape[0])
    left = rng.randint(0, texture.shape[1] - image.shape[1])
    frosty = np.empty_like(image)
    mix(image, texture, top, left, FROST_TABLES[severity - 1], frosty)
    return frosty


def _frost_tables() -> tuple[Image, ...]:
    byte = np.arange(256, dtype=np.float64)
    sums = [of_image * byte[:, None] + of_frost * byte for of_image, of_frost in FROST]
    return tuple(np.clip(total, 0, 255).astype(np.uint8) for total in sums)


#: Per severity: the mixture of each byte of an image with each byte of a texture, ``(256, 256)``.
FROST_TABLES = _frost_tables()


def fog(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` in fog as thick as a random landscape, whose side is the next power of two.

    Draws a uniform number for every point of the landscape except its corner.
    """
    strength, decay = FOG[severity - 1]
    side = 1 << (max(image.shape) - 1).bit_length()
    heights = np.empty((side, side))
    grow_plasma(heights, draw_uniform(rng, 0.0, 1.0, (side * side - 1,)), decay)
    foggy = np.empty_like(image)
    lay_fog(image, UNITS, heights, strength, foggy)
    return foggy


def brightness(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` with a higher value in HSV; draws nothing."""
    brighter = np.empty_like(image)
    adjust(image, UNITS, 1.0, 0.0, BRIGHTNESS[severity - 1], brighter)
    return brighter


def spatter(
    image: Image, severity: int, rng: RandomState, *, mud: NDArray[np.float32] | Plane = MUD
) -> Image:
    """Return `image` behind drops of water (severity 1 to 3) or of mud; draws a normal number per pixel.

    Args:
        image: Pixels, ``(H, W, 3)``.
        severity: 1 to 5.
        rng: Source of the random numbers.
        mud: Colour of the mud, ``(3,)``; its precision is that of the sums.
    """
    mean, deviation, sigma, threshold, last = SPATTER[severity - 1]
    noise = draw_normal(rng, mean, deviation, (image.shape[0], image.shape[1]))
    liquid = gaussian(noise, 1, (sigma, sigma), 4.0, "nearest")
    spattered = np.empty_like(image)
    if severity <= WATER_UP_TO:
        liquid[liquid < threshold] = 0
        drops = (liquid * 255).astype(np.uint8)
        lay_water(to_levels(image), drops, _relief(drops), np.float32(last), WATER, spattered)
    else:
        opacity = gaussian_single((liquid > threshold).astype(np.float32), last)
        opacity[opacity < np.float32(0.8)] = 0
        lay_mud(to_levels(image), opacity, mud, spattered)
    return spattered


def _relief(drops: Image) -> NDArray[np.float32]:
    """Return the shading of drops as if lit from one corner; depends on the distance to their outlines."""
    distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
    _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
    even = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    lit = cv2.filter2D(even, cv2.CV_8U, RELIEF_KERNEL)
    return np.asarray(cv2.blur(lit, (3, 3)), dtype=np.float32)


def to_levels(image: Image) -> NDArray[np.float32]:
    """Return bytes as numbers in [0, 1]."""
    levels: NDArray[np.float32] = image.astype(np.float32) / np.float32(255)
    return levels


#: The kinds of this file by name.
CORRUPTIONS = {
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "spatter": spatter,
}
