"""Defocus blur: the package's disk, as sums of bytes.

The package filters doubles with OpenCV, which takes a Fourier transform for kernels of this size. Its
rounding cannot be followed, but matters only where a result is an integer to some 1e-12 grey levels. Here a
result is the same sum of bytes in another order; if one of an image lies so close to an integer that its byte
could be another, OpenCV filters that image. That hardly ever happens, not even in flat areas: the disk's
weights are rounded to single precision and do not add up to one. The largest disk, softened twice as far, has
so many different weights that OpenCV filters it always.

A row of the kernel is a sum of runs of equal weights around its middle, and of differences between its
halves, which OpenCV may round differently. Sums of bytes over runs are computed once per row of the image,
and each is added, times its weight, to all rows of the result that it is a part of.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.opencv import cv2
from lsbench.corruptions.random_stream import U64, compiled, helper

Image = NDArray[np.uint8]
#: Per severity: radius and blur of the rim, in pixels.
DISKS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
#: Results this close to an integer, in grey levels, are left to OpenCV: a thousand times any rounding.
GUARD = 1e-9
#: With more runs in all their rows, OpenCV's Fourier transform costs less.
MOST_RUNS = 60
#: Weights below this share of the largest are left out: together they weigh less than the rounding.
NEGLIGIBLE = 1e-15


class Runs(NamedTuple):
    """A kernel as runs of equal weights, and as differences between its halves.

    Attributes:
        kinds: Per row from the middle downwards, int64 ``(rows, most)``. ``r`` up to the reach is the run of
            ``2 * r + 1`` pixels; ``reach + d`` is the pixel d to the right less the one d to the left.
        weights: Their weights, float64 ``(rows, most)``; 0 where a row has fewer.
    """

    kinds: NDArray[np.int64]
    weights: NDArray[np.float64]


def defocus_blur(image: Image, severity: int, rng: RandomState) -> Image:
    """Blur with a disk of 3 to 10 pixels; draws nothing."""
    del rng
    out, kernel = np.empty_like(image), disk(*DISKS[severity - 1])
    runs = runs_of(*DISKS[severity - 1])
    if runs is None or _add_runs(image, runs, out):
        # All channels at once, and in float64.
        blurred: Any = cv2.filter2D(image / 255.0, -1, kernel)
        out = (np.clip(blurred, 0, 1) * 255).astype(np.uint8)
    return out


@cache
def disk(radius: int, alias_blur: float) -> NDArray[np.float32]:
    """Return the package's disk of `radius` pixels, its rim softened by a Gaussian of `alias_blur`."""
    reach, size = (8, (3, 3)) if radius <= 8 else (radius, (5, 5))
    steps = np.arange(-reach, reach + 1)
    inside = (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.float32)
    inside /= np.sum(inside)
    softened: Any = cv2.GaussianBlur(inside, ksize=size, sigmaX=alias_blur)
    return np.asarray(softened)


@cache
def runs_of(radius: int, alias_blur: float) -> Runs | None:
    """Return a disk as runs, without empty rows.

    None if there are too many, or if OpenCV rounded the disk unlike its image upside down.
    """
    kernel = disk(radius, alias_blur).astype(np.float64)
    if not np.array_equal(kernel, kernel[::-1]):
        return None
    kernel[kernel < kernel.max() * NEGLIGIBLE] = 0
    outside = int(np.argmax(kernel.any(axis=0)))
    kernel = kernel[outside : len(kernel) - outside, outside : len(kernel) - outside]
    middle = len(kernel) // 2
    left, right = kernel[middle:, middle::-1], kernel[middle:, middle:]
    mean, difference = (left + right) / 2, (right - left) / 2
    steps = np.hstack([mean - np.pad(mean[:, 1:], ((0, 0), (0, 1))), difference[:, 1:]])
    if np.count_nonzero(steps) > MOST_RUNS:
        return None
    found = [np.flatnonzero(row) for row in steps if row.any()]
    shape = len(found), max(map(len, found))
    runs = Runs(np.zeros(shape, np.int64), np.zeros(shape))
    for row, kinds in enumerate(found):
        runs.kinds[row, : len(kinds)] = kinds
        runs.weights[row, : len(kinds)] = steps[row, kinds]
    return runs


@compiled
def _add_runs(image, runs, out):
    """Write the blurred image; return the number of doubtful results."""
    height, width = image.shape[:2]
    rows, size = len(runs.weights), width * 3
    # The disk is as wide as it is high; differences are made where there are some.
    reach, kinds = rows - 1, max(runs.kinds.max() + 1, rows)
    padded, sums = np.empty(size + 6 * reach, np.float32), np.empty((kinds, size), np.float32)
    # Rows of the result that the present row is a part of, and one that takes what falls outside.
    kept = 2 * rows - 1
    totals, part = np.zeros((kept + 1, size)), np.empty(size)
    doubts = 0
    for y in range(1 - rows, height + rows - 1):
        _pad(image[_mirrored(y, height)].reshape(-1), reach, padded)
        _sum_runs(padded, reach, sums)
        for row in range(rows):
            above, below = y - row, y + row
            first = totals[above % kept if 0 <= above < height else kept]
            second = totals[below % kept if 0 <= below < height and row else kept]
            _weigh(sums, runs.kinds[row], runs.weights[row], part)
            for i in range(U64(0), U64(size)):
                first[i] += part[i]
                second[i] += part[i]
        finished = y - rows + 1
        if 0 <= finished < height:
            total = totals[finished % kept]
            doubts += _write(total, out[finished].reshape(-1))
            total[:] = 0.0
    return doubts


@helper
def _mirrored(place, length):
    """Return the place inside an axis whose end pixels are the mirrors."""
    place = abs(place)
    return 2 * (length - 1) - place if place >= length else place


@helper
def _pad(row, reach, out):
    size, width, border = len(row), len(row) // 3, reach * 3
    for i in range(U64(0), U64(size)):
        out[U64(border) + i] = row[i]
    for x in range(1, reach + 1):
        left, right = _mirrored(-x, width) * 3, _mirrored(width - 1 + x, width) * 3
        for c in range(3):
            out[border - x * 3 + c] = row[left + c]
            out[border + size - 3 + x * 3 + c] = row[right + c]


@helper
def _sum_runs(padded, reach, sums):
    """Set `sums` to what :class:`Runs` names; they are whole numbers, which float32 holds exactly."""
    size, border = sums.shape[1], reach * 3
    sums[0] = padded[border : border + size]
    for far in range(1, reach + 1):
        left, right = padded[border - 3 * far :], padded[border + 3 * far :]
        _lengthen(sums[far - 1], left, right, sums[far])
        if reach + far < len(sums):
            _subtract(right, left, sums[reach + far])


@helper
def _lengthen(run, left, right, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = run[i] + (left[i] + right[i])


@helper
def _subtract(right, left, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = right[i] - left[i]


@helper
def _weigh(sums, kinds, weights, part):
    """Set `part` to the weighted sum of some of `sums`, up to the first weight of zero."""
    count = 0
    while count < len(weights) and weights[count] != 0.0:
        count += 1
    done = 0
    part[:] = 0.0
    while done + 4 <= count:
        _add_four(sums, kinds[done : done + 4], weights[done : done + 4], part)
        done += 4
    if done + 2 <= count:
        _add_two(sums[kinds[done]], sums[kinds[done + 1]], weights[done], weights[done + 1], part)
        done += 2
    if done < count:
        row, weight = sums[kinds[done]], weights[done]
        for i in range(U64(0), U64(len(part))):
            part[i] += np.float64(row[i]) * weight


@helper
def _add_two(a, b, of_a, of_b, part):
    for i in range(U64(0), U64(len(part))):
        part[i] += np.float64(a[i]) * of_a + np.float64(b[i]) * of_b


@helper
def _add_four(sums, kinds, weights, part):
    a, b, c, d = sums[kinds[0]], sums[kinds[1]], sums[kinds[2]], sums[kinds[3]]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for i in range(U64(0), U64(len(part))):
        pair = np.float64(a[i]) * w0 + np.float64(b[i]) * w1
        part[i] += pair + (np.float64(c[i]) * w2 + np.float64(d[i]) * w3)


@helper
def _write(total, out):
    doubts = 0
    for i in range(U64(0), U64(len(total))):
        # Black and white beyond half a grey level, where nothing is in doubt.
        level = min(max(total[i], 0.5), 255.5)
        cut = np.int32(level)
        doubts += abs(level - cut - 0.5) > 0.5 - GUARD
        out[i] = cut
    return doubts
