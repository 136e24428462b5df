"""The loops of snow and spatter: enlarged flakes of noise, and their blending with an image.

Sums are taken in the order of the array operations that they replace: results are truncated to bytes, and an
error in the last bit would change flat areas by one.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import math

import numpy as np

from lsbench.corruptions.random_stream import compiled, helper


@compiled
def enlarge(noise, threshold, out):
    """Enlarge noise linearly, corner to corner, keep values above a threshold, and clip to [0, 1].

    The same as ``scipy.ndimage.zoom(noise, ..., order=1)``, also if rounding moves its last row or column
    beyond the noise: scipy reads a zero there.

    Args:
        noise: Numbers, float64, ``(h, w)``.
        threshold: Least value that is kept, above 0.
        out: Receives the result, float64, ``(H, W)``.
    """
    columns = np.empty(out.shape[1], np.intp)
    shares = np.empty((out.shape[1], 2))
    for column in range(out.shape[1]):
        columns[column], shares[column, 0], shares[column, 1] = _source(column, noise.shape[1], out.shape[1])
    for row in range(out.shape[0]):
        top, y_near, y_far = _source(row, noise.shape[0], out.shape[0])
        upper, lower = noise[top], noise[min(top + 1, noise.shape[0] - 1)]
        for column in range(out.shape[1]):
            left, x_near, x_far = columns[column], shares[column, 0], shares[column, 1]
            right = min(left + 1, noise.shape[1] - 1)
            level = upper[left] * y_near * x_near
            level += upper[right] * y_near * x_far
            level += lower[left] * y_far * x_near
            level += lower[right] * y_far * x_far
            out[row, column] = min(level, 1.0) if level >= threshold else 0.0


@helper
def _source(index, length, out_length):
    """Return the source position of an index, and the weights of it and the next; 0 beyond the end."""
    place = index * ((length - 1) / (out_length - 1))
    if place > length - 1:
        return length - 1, 0.0, 0.0
    start = math.floor(place)
    near = 1.0 - (place - start)
    return int(start), near, 1.0 - near


@compiled
def lay_snow(image, grey, flakes, units, kept, whitened, out):
    """Whiten an image and add flakes, once as they are and once turned by 180 degrees.

    Args:
        image: Pixels in [0, 1], float32, ``(H, W, 3)``.
        grey: The image in grey, float32, ``(H, W)``.
        flakes: Brightness of the flakes, uint8, ``(H, W)``.
        units: ``byte / 255`` of each byte, float64, ``(256,)``.
        kept: Fraction of the image that is kept, float32.
        whitened: Fraction of the whitened image, float32.
        out: Receives the result, uint8, ``(H, W, 3)``.
    """
    height, width = grey.shape
    for row in range(height):
        for column in range(width):
            white = grey[row, column] * np.float32(1.5) + np.float32(0.5)
            flake = units[flakes[row, column]]
            turned = units[flakes[height - 1 - row, width - 1 - column]]
            for channel in range(3):
                level = image[row, column, channel]
                level = kept * level + whitened * max(level, white)
                total = np.float64(level) + flake + turned
                out[row, column, channel] = np.uint8(min(max(total, 0.0), 1.0) * 255.0)


@compiled
def lay_water(image, drops, relief, strength, colour, out):
    """Add water of a colour, in proportion to ``drops * relief``; without any drop the image turns black.

    Args:
        image: Pixels in [0, 1], float32, ``(H, W, 3)``.
        drops: Thickness of the liquid, uint8, ``(H, W)``.
        relief: Shading of the liquid, float32, ``(H, W)``.
        strength: Opacity at the maximum of the product, float32.
        colour: Colour in [0, 1], float32, ``(3,)``.
        out: Receives the result, uint8, ``(H, W, 3)``.
    """
    largest = np.float32(0.0)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            largest = max(largest, np.float32(drops[row, column]) * relief[row, column])
    if largest == 0.0:
        out[:] = 0
        return
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            opacity = np.float32(drops[row, column]) * relief[row, column] / largest * strength
            for channel in range(3):
                level = image[row, column, channel] + opacity * colour[channel]
                level = min(max(level, np.float32(0.0)), np.float32(1.0))
                out[row, column, channel] = np.uint8(level * np.float32(255.0))


@compiled
def lay_mud(image, opacity, colour, out):
    """Cover an image with mud of a colour and the given opacity; sums are taken in the colour's precision.

    Args:
        image: Pixels in [0, 1], float32, ``(H, W, 3)``.
        opacity: In [0, 1], float32, ``(H, W)``.
        colour: Colour in [0, 1], float32 or float64, ``(3,)``.
        out: Receives the result, uint8, ``(H, W, 3)``.
    """
    number = colour.dtype.type
    for row in range(opacity.shape[0]):
        for column in range(opacity.shape[1]):
            covered = opacity[row, column]
            for channel in range(3):
                level = image[row, column, channel] * (np.float32(1.0) - covered)
                total = number(level) + colour[channel] * number(covered)
                out[row, column, channel] = np.uint8(
                    min(max(total, number(0.0)), number(1.0)) * number(255.0)
                )
