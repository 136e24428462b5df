"""Contrast, few pixels enlarged, and reading an image at displaced places, in one pass over the pixels.

Sums are taken in numpy's and scipy's order: results are truncated to bytes, and an error in the last bit
would change flat areas by one.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.corruptions.random_stream import compiled, helper

U32, U64 = np.uint32, np.uint64
ZERO, ONE, TWO, THREE = U64(0), U64(1), U64(2), U64(3)
#: Binary digits of the weights of a mean, and half of one.
DIGITS, HALF = U32(22), U32(1 << 21)


@compiled
def lower_contrast(image, units, factor, out):
    """Move each channel towards its mean: ``(x - mean) * factor + mean``.

    A result depends only on a channel and a byte, so it is computed for 3 x 256 of them.

    Args:
        image: Pixels, uint8, ``(H, W, 3)``.
        units: ``byte / 255`` of each byte, float64, ``(256,)``.
        factor: Remaining fraction of the distance to the mean.
        out: Receives the result, as `image`.
    """
    height, width = image.shape[0], image.shape[1]
    red = green = blue = 0.0
    for row in range(height):
        for column in range(width):
            red += units[image[row, column, 0]]
            green += units[image[row, column, 1]]
            blue += units[image[row, column, 2]]
    table = np.empty((3, 256), np.uint8)
    for channel, total in enumerate((red, green, blue)):
        mean = total / (height * width)
        for byte in range(256):
            level = (units[byte] - mean) * factor + mean
            table[channel, byte] = np.uint8(min(max(level, 0.0), 1.0) * 255.0)
    for row in range(height):
        for column in range(width):
            for channel in range(3):
                out[row, column, channel] = table[channel, image[row, column, channel]]


@compiled
def enlarge_means(image, rows, row_weights, row_of, columns, column_weights, column_of, out):
    """Reduce an image to the means of rectangles, and repeat these up to its size.

    Means are taken over columns, then over rows, and rounded to bytes both times, as Pillow takes them:
    ``(sum * weight + half) >> 22``. All integers are unsigned, which spares a test for negative places.

    Args:
        image: Bytes of the pixels, row by row, uint8, ``(H * W * 3,)``.
        rows: First row and the row after the last one that make each row of means, uint64, ``(2, h)``.
        row_weights: ``2 ** 22`` divided by the number of rows in each mean, uint32, ``(h,)``.
        row_of: Row of means of each output row, uint64, ``(H,)``.
        columns: The same of columns, ``(2, w)``.
        column_weights: ``(w,)``.
        column_of: ``(W,)``.
        out: Receives the bytes, as `image`.
    """
    height, width, small = U64(len(row_of)), U64(len(column_of)), U64(len(column_weights))
    pitch, least = THREE * width, THREE * small
    sums, means = np.empty(least, np.uint32), np.empty(least, np.uint8)
    y = ZERO
    for i in range(ZERO, U64(len(row_weights))):
        for c in range(ZERO, least):
            sums[c] = 0
        for row in range(rows[ZERO, i], rows[ONE, i]):
            place = ZERO
            for j in range(ZERO, small):
                red = green = blue = U32(0)
                begin, end = row * pitch + THREE * columns[ZERO, j], row * pitch + THREE * columns[ONE, j]
                for x in range(begin, end, THREE):
                    red += image[x]
                    green += image[x + ONE]
                    blue += image[x + TWO]
                weight = column_weights[j]
                sums[place] += (red * weight + HALF) >> DIGITS
                sums[place + ONE] += (green * weight + HALF) >> DIGITS
                sums[place + TWO] += (blue * weight + HALF) >> DIGITS
                place += THREE
        for c in range(ZERO, least):
            means[c] = (sums[c] * row_weights[i] + HALF) >> DIGITS
        first = place = y * pitch
        for x in range(ZERO, width):
            source = THREE * column_of[x]
            out[place], out[place + ONE] = means[source], means[source + ONE]
            out[place + TWO] = means[source + TWO]
            place += THREE
        y += ONE
        while y < height and row_of[y] == i:
            for c in range(ZERO, pitch):
                out[y * pitch + c] = out[first + c]
            y += ONE


@compiled
def displace(image, down, right, out):
    """Read an image at displaced places, linearly interpolated, mirrored at its borders (``b a | a b c``).

    The same as ``scipy.ndimage.map_coordinates(..., order=1, mode="reflect")``.

    Args:
        image: Pixels in [0, 1], float32, ``(H, W, 3)``.
        down: Downward offset of each read, float32, ``(H, W)``.
        right: Offset to the right, as `down`.
        out: Receives the bytes, uint8, ``(H, W, 3)``.
    """
    height, width = image.shape[0], image.shape[1]
    for row in range(height):
        for column in range(width):
            y = _mirrored(row + np.float64(down[row, column]), height)
            x = _mirrored(column + np.float64(right[row, column]), width)
            # Truncation equals the floor except next to the border, where a place lies between -1 and 0.
            top, left = int(y) if y >= 0.0 else -1, int(x) if x >= 0.0 else -1
            y_near = 1.0 - (y - top)
            y_far = 1.0 - y_near
            x_near = 1.0 - (x - left)
            x_far = 1.0 - x_near
            # Beyond the border its pixel is repeated once.
            bottom, right_one = min(top + 1, height - 1), min(left + 1, width - 1)
            top, left = max(top, 0), max(left, 0)
            for channel in range(3):
                level = image[top, left, channel] * y_near * x_near
                level += image[top, right_one, channel] * y_near * x_far
                level += image[bottom, left, channel] * y_far * x_near
                level += image[bottom, right_one, channel] * y_far * x_far
                out[row, column, channel] = np.uint8(_unit32(np.float32(level)) * np.float32(255.0))


@helper
def _unit32(number):
    return min(max(number, np.float32(0.0)), np.float32(1.0))


@helper
def _mirrored(place, length):
    """Return the place inside [-1, length) for a place outside [0, length - 1]."""
    period = 2 * length
    if place < 0.0:
        if place < -period:
            place += period * int(-place / period)
        return place + period if place < -length else -place - 1.0
    if place > length - 1:
        place -= period * int(place / period)
        return period - place - 1.0 if place >= length else place
    return place
