"""Zoom blur: the mean of the image and of its centre, enlarged step by step.

Every enlargement is scipy's linear one (`ndimage.zoom`, order 1) of a float32 image: four neighbours, each
times its weight downwards and then to the right, are added in memory order as float64, rounded to float32 and
added to the layers before. Neighbours and weights depend only on the size and are cached.

A value is computed in float32, downwards first, to a fraction of :data:`GUARD`, and truncated to a byte. Only
if it lies so close to an integer that this could be the wrong side, its pixel is computed again, operation by
operation as in the package. Rows are computed one by one from all layers, so that the rows they need stay in
the second-level cache; pixels are padded to four channels, so that each is moved as a whole.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.correlate import is_doubtful
from lsbench.corruptions.random_stream import U64, compiled, helper

Image = NDArray[np.uint8]
#: Values this close to an integer, in grey levels, are computed again: float32 errs by at most 0.0004, and so
#: does the package's own sum.
GUARD = 1e-3
#: Exclusive ends and steps of the enlargements, which start at 1.
FACTORS = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))


class Axis(NamedTuple):
    """The two source pixels of each pixel of an enlarged axis, per layer.

    Attributes:
        first: Indices, int64 ``(layers, length)``.
        second: Indices of the neighbours after them.
        weights: Weights of the first and the second, float64 ``(layers, length, 2)``; both 0 if nothing is
            added.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weights: NDArray[np.float64]


def zoom_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Return the mean of enlargements up to 1.1 to 1.3 times; draws nothing."""
    del rng
    height, width = image.shape[:2]
    out = np.empty_like(image)
    down, right = enlarged_axis(height, severity), enlarged_axis(width, severity)
    _mean_of_layers(image, down, right, np.float32(GUARD), out)
    return out


@lru_cache(maxsize=64)
def enlarged_axis(length: int, severity: int) -> Axis:
    """Return the pixels and weights of an axis of `length` for all enlargements above 1 of a severity."""
    end, step = FACTORS[severity - 1]
    factors = np.arange(1, end, step)[1:]
    shape = (len(factors), length)
    axis = Axis(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros((*shape, 2)))
    for layer, factor in enumerate(factors):
        cropped = math.ceil(length / float(factor))
        start = (length - cropped) // 2
        enlarged = round(cropped * factor)
        ratio = (cropped - 1) / (enlarged - 1)
        # Pixels enlarged beyond the axis are cropped; missing ones keep the image as it was.
        for i in range(min(length, enlarged)):
            place = i * ratio
            # Rounding may put the last pixel outside, where scipy finds zeros.
            if place > cropped - 1:
                continue
            first = math.floor(place)
            weight = 1.0 - (place - first)
            axis.first[layer, i] = start + first
            axis.second[layer, i] = start + (first + 1 if first + 1 < cropped else max(first - 1, 0))
            axis.weights[layer, i] = weight, 1.0 - weight
    return axis


@compiled
def _mean_of_layers(image, down, right, guard, out):
    height, width = image.shape[:2]
    layers, size = len(down.first), width * 4
    source = np.zeros((height, size), np.float32)
    for y in range(height):
        for x in range(U64(0), U64(width)):
            for c in range(U64(0), U64(3)):
                source[U64(y), x * U64(4) + c] = image[U64(y), x, c]
    upper, lower = down.weights[:, :, 0].astype(np.float32), down.weights[:, :, 1].astype(np.float32)
    left, far = _four_times(right.weights[:, :, 0]), _four_times(right.weights[:, :, 1])
    # One more pixel, which only a weight of zero is given to.
    blended, total = np.zeros(size + 4, np.float32), np.empty(size, np.float32)
    near, next_one = np.empty(size, np.float32), np.empty(size, np.float32)
    share = (np.arange(256) / 255.0).astype(np.float32)
    # The image counts twice: as it is, and as its first layer.
    scale = np.float32(1.0 / (layers + 2))
    for y in range(height):
        total[:] = source[y]
        total += source[y]
        for layer in range(layers):
            above, below = source[down.first[layer, y]], source[down.second[layer, y]]
            _blend(above, below, upper[layer, y], lower[layer, y], blended[:size])
            _spread(
                blended.view(np.float64),
                right.first[layer],
                near.view(np.float64),
                next_one.view(np.float64),
            )
            _add_layer(near, next_one, left[layer], far[layer], total)
        if _write_mean(total, scale, guard, out[y]):
            for i in range(width * 3):
                x, c = i // 3, i % 3
                if is_doubtful(total[x * 4 + c] * scale, guard):
                    out[y, x, c] = _exact(image[:, :, c], share, y, x, down, right)


@helper
def _four_times(weights):
    """Return the weights of pixels, ``(layers, W)``, for each of their four channels."""
    wide = np.empty((weights.shape[0], weights.shape[1] * 4), np.float32)
    for layer in range(len(weights)):
        for i in range(wide.shape[1]):
            wide[layer, i] = weights[layer, i // 4]
    return wide


@helper
def _blend(above, below, upper, lower, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = above[i] * upper + below[i] * lower


@helper
def _spread(row, first, near, next_one):
    """Copy, for each pixel of an enlarged row, its two neighbours; a pixel is moved as two doubles."""
    for x in range(U64(0), U64(len(first))):
        a, at = U64(first[x]) * U64(2), x * U64(2)
        near[at], near[at + U64(1)] = row[a], row[a + U64(1)]
        next_one[at], next_one[at + U64(1)] = row[a + U64(2)], row[a + U64(3)]


@helper
def _add_layer(near, next_one, left, far, total):
    for i in range(U64(0), U64(len(total))):
        total[i] += near[i] * left[i] + next_one[i] * far[i]


@helper
def _write_mean(total, scale, guard, out):
    """Write the bytes of a row; return the number of doubtful ones."""
    doubts = 0
    for x in range(U64(0), U64(len(out))):
        for c in range(U64(0), U64(3)):
            level = total[x * U64(4) + c] * scale
            doubts += is_doubtful(level, guard)
            out[x, c] = np.int32(min(level, np.float32(255.0)))
    return doubts


@helper
def _exact(image, share, y, x, down, right):
    """Return the byte of a channel of a pixel as the package computes it."""
    own = share[image[y, x]]
    total = own
    for layer in range(U64(0), U64(len(down.first))):
        above, below = U64(down.first[layer, y]), U64(down.second[layer, y])
        before, after = U64(right.first[layer, x]), U64(right.second[layer, x])
        upper, lower = down.weights[layer, y, 0], down.weights[layer, y, 1]
        near, far = right.weights[layer, x, 0], right.weights[layer, x, 1]
        value = np.float64(share[image[above, before]]) * upper * near
        value += np.float64(share[image[above, after]]) * upper * far
        value += np.float64(share[image[below, before]]) * lower * near
        value += np.float64(share[image[below, after]]) * lower * far
        total += np.float32(value)
    mean = np.float32(np.float32(own + total) / np.float32(len(down.first) + 2))
    return np.uint8(np.float32(min(max(mean, np.float32(0)), np.float32(1)) * np.float32(255)))
