"""Five corruptions as in the code of the published ImageNet-C, where imagecorruptions differs from it.

elastic_transform has its random affine map and its own widths per severity, frost is cropped from textures at
their own size, snow is cropped from the middle of the enlarged noise and stored in bytes before it is
blurred, and motion_blur is ImageMagick's: sums of 16-bit numbers, rounded, then truncated to bytes. The mud
of spatter is added in single precision.

On images of 224 x 224 pixels no byte differs from that code, run with ImageMagick 6.9.11 and OpenCV 5.

The draws and their order are the published code's; its global numpy generator is the given one here. It was
written for that size alone. For others, the widths and displacements of elastic_transform scale with the
shorter side; nothing else does (radii of blurs, noise and textures are in pixels, as in imagecorruptions),
and operations that the code fixes to squares are done for each side separately.

Source:
    Hendrycks & Dietterich, ICLR 2019, arXiv:1903.12261; hendrycks/robustness,
    ``ImageNet-C/create_c/make_imagenet_c.py`` at e0377d4.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions import weather
from lsbench.corruptions.blur import motion_blurred
from lsbench.corruptions.correlate import gaussian, gaussian_mirrored, half_gaussian
from lsbench.corruptions.digital import displaced
from lsbench.corruptions.draws import draw_uniform
from lsbench.corruptions.frost_textures import TEXTURES, read_texture, resize_texture
from lsbench.corruptions.opencv import cv2
from lsbench.corruptions.weather import MUD, SNOW, draw_flakes, to_levels, under_frost, under_snow

Image = NDArray[np.uint8]
#: Per severity, as fractions of the size: displacement, width of its Gaussian, reach of the affine map.
ELASTIC = ((2.0, 0.7, 0.1), (2.0, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
#: Assumed by the published code as the size of images of 224 pixels: an error, but part of the benchmark.
ELASTIC_SIZE = 244.0
#: Per severity: radius and deviation of the weights, in pixels.
MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
SINGLE_MUD = MUD.astype(np.float32)
#: Taps on one side above which cosines cost less than the sum itself.
WIDE = 64


def elastic_transform(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` after a random affine map, with each pixel then read at an offset of smoothed noise.

    Draws six uniform numbers that move three corners, then one per pixel for the horizontal and one per pixel
    for the vertical displacement. The affine map is OpenCV's, which read at 1/32 of a pixel before release 5.
    """
    size = ELASTIC_SIZE * min(image.shape[:2]) / 224
    strength, sigma, reach = (share * size for share in ELASTIC[severity - 1])
    levels = _mapped(to_levels(image), reach, rng)
    right, down = (_displacement(image.shape[:2], sigma, strength, rng) for _ in range(2))
    return displaced(levels, down, right)


def _mapped(levels: NDArray[np.float32], reach: float, rng: RandomState) -> NDArray[np.float32]:
    """Return an image whose corners of a centred square are moved by up to `reach` pixels."""
    shape = levels.shape[:2]
    centre, side = np.array(shape, np.float32) // 2, min(shape) // 3
    corners = np.array([centre + side, [centre[0] + side, centre[1] - side], centre - side], np.float32)
    moved = corners + rng.uniform(-reach, reach, size=corners.shape).astype(np.float32)
    affine = cv2.getAffineTransform(corners, moved)
    mapped = cv2.warpAffine(levels, affine, shape[::-1], borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(mapped, dtype=np.float32)


def _displacement(
    shape: tuple[int, ...], sigma: float, strength: float, rng: RandomState
) -> NDArray[np.float32]:
    noise = draw_uniform(rng, -1, 1, shape)
    if half_gaussian(sigma, 3.0).size > WIDE:
        smoothed = gaussian_mirrored(noise, sigma, 3.0)
    else:
        smoothed = gaussian(noise, 1, (sigma, sigma), 3.0, "reflect")
    return (smoothed * strength).astype(np.float32)


def frost(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` mixed with a random part of one of five photographs of frost, at their own size.

    The published code fails on an image that is not smaller than the photograph on both sides: here the
    photograph is enlarged until it is one pixel larger. Draws the photograph (of the first five), the first
    row and the first column of the crop.
    """
    index = int(rng.randint(TEXTURES))
    height, width = read_texture(index).shape[:2]
    scale = max(1.0, (image.shape[0] + 1) / height, (image.shape[1] + 1) / width)
    texture = resize_texture(index, math.ceil(height * scale), math.ceil(width * scale))
    return under_frost(image, texture, severity, rng)


def snow(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` under flakes of blurred noise that fall at a random angle.

    Draws a normal number per pixel, then the angle.
    """
    mean, deviation, zoom, threshold, radius, sigma, kept = SNOW[severity - 1]
    height, width = image.shape[:2]
    enlarged = draw_flakes(rng, (height, width), mean, deviation, zoom, threshold)
    top, left = (enlarged.shape[0] - height) // 2, (enlarged.shape[1] - width) // 2
    flakes = (enlarged[top : top + height, left : left + width] * 255).astype(np.uint8)
    blurred = _magick_blur(flakes[..., None], radius, sigma, rng.uniform(-135, -45))
    return under_snow(image, blurred[..., 0], kept)


def motion_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` blurred along a path within 45 degrees of the horizontal; draws the angle."""
    radius, sigma = MOTION[severity - 1]
    return _magick_blur(image, radius, sigma, rng.uniform(-45, 45))


def _magick_blur(image: Image, radius: int, sigma: float, angle: float) -> Image:
    """Return an 8-bit image blurred as ImageMagick 6 with 16 bits per number does, stored in bytes again.

    A byte enters as ``byte * 257``, and a sum is rounded to 16 bits. On output it is divided by 257 and
    truncated.
    """
    height, width, channels = image.shape
    numbers = image.reshape(height, width * channels).astype(np.float64) * 257.0
    sums = motion_blurred(numbers, channels, radius, sigma, angle, goes_on=True)
    return (np.floor(sums + 0.5) / 257.0).astype(np.uint8).reshape(image.shape)


def spatter(image: Image, severity: int, rng: RandomState) -> Image:
    """Return `image` behind drops of water or mud, as in the package but for the precision of the mud."""
    return weather.spatter(image, severity, rng, mud=SINGLE_MUD)


#: The kinds of this file by name.
CORRUPTIONS = {
    "elastic_transform": elastic_transform,
    "frost": frost,
    "motion_blur": motion_blur,
    "snow": snow,
    "spatter": spatter,
}
