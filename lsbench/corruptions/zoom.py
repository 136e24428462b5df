"""Zoom blur: the mean of the image and of its centre, enlarged step by step.

Every enlargement is scipy's linear one (`ndimage.zoom`, order 1) of a float32 image: four neighbours, each
times its weight downwards and then to the right, are added in memory order as float64, rounded to float32 and
added to the layers before. Neighbours and weights depend only on the size and are cached. Rows are computed
one by one from all layers, so that the rows they need stay in the second-level cache; pixels are padded to
four channels, which makes one vector of each.
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

from lsbench.corruptions.random_stream import U64, compiled

Image = NDArray[np.uint8]
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
    _mean_of_layers(image, enlarged_axis(height, severity), enlarged_axis(width, severity), out)
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
def _mean_of_layers(image, down, right, out):
    height, width = image.shape[:2]
    source, share = np.zeros((height, width * 4), np.float32), (np.arange(256) / 255.0).astype(np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                source[y, x * 4 + c] = share[image[y, x, c]]
    upper, lower = np.empty(width * 4), np.empty(width * 4)
    total = np.empty(width * 4, np.float32)
    for y in range(height):
        # The first layer is the image as it is.
        total[:] = source[y]
        for layer in range(len(down.first)):
            _weigh(source[down.first[layer, y]], down.weights[layer, y, 0], upper)
            _weigh(source[down.second[layer, y]], down.weights[layer, y, 1], lower)
            _add_layer(upper, lower, right.first[layer], right.second[layer], right.weights[layer], total)
        _write_mean(source[y], total, np.float32(len(down.first) + 2), out[y])


@compiled
def _weigh(row, weight, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = np.float64(row[i]) * weight


@compiled
def _add_layer(upper, lower, first, second, weights, total):
    for x in range(U64(0), U64(len(first))):
        a, b, at = U64(first[x]) * U64(4), U64(second[x]) * U64(4), x * U64(4)
        left, right = weights[x, 0], weights[x, 1]
        for c in range(U64(0), U64(4)):
            value = upper[a + c] * left
            value += upper[b + c] * right
            value += lower[a + c] * left
            value += lower[b + c] * right
            total[at + c] += np.float32(value)


@compiled
def _write_mean(row, total, count, out):
    for x in range(len(out)):
        for c in range(3):
            mean = np.float32(np.float32(row[x * 4 + c] + total[x * 4 + c]) / count)
            out[x, c] = np.uint8(np.float32(min(max(mean, np.float32(0)), np.float32(1)) * np.float32(255)))
