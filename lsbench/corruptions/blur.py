"""The kinds of blur, except those of a disk and of zooming, which have their own files."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.byte_blur import blurred_bytes
from lsbench.corruptions.correlate import Floats, weighted_rows
from lsbench.corruptions.defocus import defocus_blur
from lsbench.corruptions.random_stream import U64, compiled, fill_below, stream_of
from lsbench.corruptions.zoom import zoom_blur

Image = NDArray[np.uint8]


def gaussian_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Blur with a Gaussian of 1 to 6 pixels; draws nothing."""
    del rng
    return blurred_bytes(image, float((1, 2, 3, 4, 6)[severity - 1]))


def glass_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Blur, move pixels to places nearby, and blur again.

    The package means to swap two pixels, but swaps views of one array: ``x[a], x[b] = x[b], x[a]`` copies
    ``x[b]`` to ``x[a]`` and leaves ``x[b]`` unchanged. The published images are made this way.
    """
    sigma, reach, times = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    pixels = np.empty(image.shape[:2], np.uint32)
    _join(blurred_bytes(image, sigma), pixels)
    _shuffle(stream_of(rng), pixels, reach, times)
    shuffled = np.empty_like(image)
    _split(pixels, shuffled)
    return blurred_bytes(shuffled, sigma)


def motion_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Blur along a line at a random angle within 45 degrees of the horizontal."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    angle = rng.uniform(-45, 45)
    layer = image.reshape(len(image), -1).astype(np.float64)
    blurred = motion_blurred(layer, 3, radius, sigma, angle)
    return to_bytes(blurred, image.shape)


def motion_blurred(
    layer: Floats, channels: int, radius: int, sigma: float, angle: float, *, goes_on: bool = False
) -> Floats:
    """Return `layer` blurred by motion, like in the package: half a Gaussian along a line.

    Args:
        layer: float64 ``(H, W * C)``, contiguous.
        channels: C.
        radius: Half the number of steps along the line.
        sigma: Standard deviation of the Gaussian, in steps.
        angle: Direction in degrees.
        goes_on: Whether steps longer than the image repeat its border, instead of ending the line.
    """
    height, width = layer.shape[0], layer.shape[1] // channels
    # No step is longer than the line, so none would end it.
    ends = (2 * radius + 1, 2 * radius + 1) if goes_on else (height, width)
    weights, downs, rights = _steps(ends[0], ends[1], radius, sigma, angle)
    top, left = max(0, -min(downs)), max(0, -min(rights))
    bottom, right = max(0, *downs), max(0, *rights)
    padded = np.empty((height + top + bottom, (width + left + right) * channels))
    _repeat_border(layer, channels, top, left, padded)
    offsets = (top + np.array(downs)) * padded.shape[1] + (left + np.array(rights)) * channels
    out = np.empty_like(layer)
    _weighted_shifts(padded.reshape(-1), padded.shape[1], offsets, weights, out)
    return out


def _steps(
    height: int, width: int, radius: int, sigma: float, angle: float
) -> tuple[Floats, list[int], list[int]]:
    """Return the weight of each step, and its offsets in rows downwards and columns to the right."""
    count = radius * 2 + 1
    # numpy's exponential, and the order of these operations, decide the last bit of every weight.
    bell = np.exp(-(np.arange(count) ** 2) / (2 * (sigma**2))) / (np.sqrt(2 * np.pi) * sigma)
    weights = bell / np.sum(bell)
    sine, cosine = count * np.sin(np.deg2rad(angle)), count * np.cos(np.deg2rad(angle))
    length = math.hypot(sine, cosine)
    downs, rights = [], []
    for i in range(count):
        down, right = math.ceil(i * sine / length - 0.5), math.ceil(i * cosine / length - 0.5)
        # The rest of the line is outside; its weight is missing, as in the package.
        if abs(down) >= height or abs(right) >= width:
            break
        downs.append(down)
        rights.append(right)
    return weights[: len(downs)], downs, rights


@compiled
def _repeat_border(layer, channels, top, left, out):
    height, size = layer.shape
    start = left * channels
    for y in range(len(out)):
        row, source = out[y], layer[min(max(y - top, 0), height - 1)]
        row[start : start + size] = source
        for x in range(0, start, channels):
            row[x : x + channels] = source[:channels]
        for x in range(start + size, len(row), channels):
            row[x : x + channels] = source[size - channels :]


@compiled
def _weighted_shifts(source, stride, offsets, weights, out):
    for y in range(len(out)):
        weighted_rows(source, offsets + y * stride, weights, out[y])


@compiled
def _join(image, pixels):
    """Put the three bytes of a pixel into one number, so that a pixel is moved at once."""
    for y in range(U64(0), U64(len(image))):
        for x in range(U64(0), U64(image.shape[1])):
            red, green, blue = np.uint32(image[y, x, 0]), np.uint32(image[y, x, 1]), np.uint32(image[y, x, 2])
            pixels[y, x] = red | (green << np.uint32(8)) | (blue << np.uint32(16))


@compiled
def _split(pixels, image):
    """Undo :func:`_join`."""
    for y in range(U64(0), U64(len(image))):
        for x in range(U64(0), U64(image.shape[1])):
            pixel = pixels[y, x]
            image[y, x, 0], image[y, x, 1] = pixel & np.uint32(255), (pixel >> np.uint32(8)) & np.uint32(255)
            image[y, x, 2] = pixel >> np.uint32(16)


@compiled
def _shuffle(words, pixels, reach, times):
    """From the last pixel to the first, `times` times: copy the value of a pixel up to `reach` away."""
    height, width = pixels.shape
    steps = np.empty(2 * (width - 2 * reach), np.int64)
    flat = pixels.reshape(-1)
    for _ in range(times):
        for y in range(height - reach, reach, -1):
            # To the right, then downwards, for one pixel after the other.
            fill_below(words, 2 * reach, steps)
            at = y * width + width - reach
            for i in range(0, len(steps), 2):
                flat[at] = flat[at + (steps[i + 1] - reach) * width + (steps[i] - reach)]
                at -= 1


def to_bytes(levels: Floats, shape: tuple[int, ...]) -> Image:
    """Return grey levels as an image of `shape`: clipped to 0 and 255, then truncated.

    >>> to_bytes(np.array([[-0.5, 0.999, 300.0]]), (1, 1, 3)).tolist()
    [[[0, 0, 255]]]
    """
    out = np.empty(shape, np.uint8)
    _cut(levels.reshape(-1), out.reshape(-1))
    return out


@compiled
def _cut(levels, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = np.uint8(np.int32(min(max(levels[i], 0.0), 255.0)))


CORRUPTIONS = {
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "gaussian_blur": gaussian_blur,
}
