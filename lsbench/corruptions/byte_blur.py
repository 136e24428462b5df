"""The Gaussian of bytes, truncated to bytes: in single precision, and again in double where that is in doubt.

A value is computed in float32 to a small, known error. Only if it lies so close to an integer that
truncation could be wrong, it is computed again, operation by operation as scipy does. In flat areas, where
all results are nearly whole, doubtful values are neighbours and are computed together.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsbench.corruptions.correlate import border_indices, correlate_row, half_gaussian, is_doubtful
from lsbench.corruptions.random_stream import U64, compiled, helper

Image = NDArray[np.uint8]
#: Standard deviations at which the Gaussian is cut off.
TRUNCATE = 4.0
#: Bound of the error of a sum of two numbers up to 255 in float32.
ROUNDING = 255.0 * 2.0**-24
#: Values in doubt with fewer others between them are computed together.
GAP = 24


def blurred_bytes(image: Image, sigma: float) -> Image:
    """Return `skimage.filters.gaussian` of an image with default settings, times 255, truncated.

    Args:
        image: Pixels, uint8, ``(H, W, 3)``, contiguous.
        sigma: Standard deviation in pixels.
    """
    half = half_gaussian(sigma, TRUNCATE)
    reach, out = len(half) - 1, np.empty_like(image)
    rows = border_indices(image.shape[0], reach, "nearest")
    columns = border_indices(image.shape[1], reach, "nearest")
    # Downwards and to the right, each sum adds a product per pair of taps; both factors are rounded, too.
    guard = np.float32(2 * (reach + 4) * ROUNDING)
    blur_rows(image.reshape(len(image), -1), half, rows, columns, guard, out.reshape(len(image), -1))
    return out


@compiled
def blur_rows(image, half, rows, columns, guard, out):
    """Blur bytes.

    Args:
        image: Bytes, uint8, ``(H, W * 3)``.
        half: The kernel from its centre outwards, float64.
        rows: Indices of the rows from those above the image to those below it.
        columns: Indices of the columns likewise.
        guard: Distance from an integer, float32, below which a value is computed again; 1: always.
        out: Receives the result, as `image`.
    """
    height, size = image.shape
    reach = len(half) - 1
    levels, single = np.empty((height, size), np.float32), half.astype(np.float32)
    for y in range(height):
        for i in range(U64(0), U64(size)):
            levels[U64(y), i] = image[U64(y), i]
    # The image in shares of white, the rows of it that are made, and a row of it and of the result.
    work = (
        np.empty((height, size)),
        np.zeros(height, np.bool_),
        np.empty(size + 6 * reach),
        np.empty(size),
    )
    line, total = np.empty(size + 6 * reach, np.float32), np.empty(size, np.float32)
    flat, offsets = levels.reshape(-1), rows * size
    taps = np.arange(2 * reach + 1) * 3
    for y in range(height):
        correlate_row(flat, offsets[y : y + 2 * reach + 1], single, line[3 * reach : 3 * reach + size])
        _extend(line, columns, reach)
        correlate_row(line, taps, single, total)
        if _cut(total, guard, out[y]):
            _again(image, work, half, rows[y : y + 2 * reach + 1], columns, total, guard, out[y])


@helper
def _extend(row, columns, reach):
    """Fill what lies beyond the ends of a row."""
    for x in range(reach):
        left, right = columns[x] * 3, columns[len(columns) - 1 - x] * 3
        for c in range(3):
            row[x * 3 + c] = row[reach * 3 + left + c]
            row[len(row) - (x + 1) * 3 + c] = row[reach * 3 + right + c]


@compiled
def _cut(levels, guard, out):
    """Write the bytes of a row; return the number of doubtful ones."""
    doubts = 0
    for i in range(U64(0), U64(len(levels))):
        doubts += is_doubtful(levels[i], guard)
        out[i] = np.int32(min(levels[i], np.float32(255.0)))
    return doubts


@helper
def _again(image, work, half, rows, columns, levels, guard, out):
    """Compute doubtful values of a row again, and those between them if these are few."""
    size, (shares, is_ready, row, exact) = len(out), work
    for y in rows:
        if not is_ready[y]:
            is_ready[y] = True
            for i in range(U64(0), U64(size)):
                shares[U64(y), i] = image[U64(y), i] / 255.0
    start = end = -1
    for block in range(0, size, GAP):
        part = levels[block : block + GAP]
        if not _count(part, guard):
            continue
        for i in range(len(part)):
            if is_doubtful(part[i], guard):
                at = block + i
                if start >= 0 and at - end > GAP:
                    _write_exact(shares, half, rows, columns, (start, end), row, exact, out)
                    start = -1
                start, end = start if start >= 0 else at, at + 1
    if start >= 0:
        _write_exact(shares, half, rows, columns, (start, end), row, exact, out)


@helper
def _count(levels, guard):
    doubts = 0
    for i in range(U64(0), U64(len(levels))):
        doubts += is_doubtful(levels[i], guard)
    return doubts


@helper
def _write_exact(shares, half, rows, columns, values, row, exact, out):
    """Write the values from one to another, exclusive, as scipy computes them."""
    _exact(shares, half, rows, columns, values[0] // 3, (values[1] + 2) // 3, row, exact)
    for k in range(values[0], values[1]):
        out[k] = np.uint8(np.int32(min(exact[k], 1.0) * 255.0))


@helper
def _exact(shares, half, rows, columns, first, last, row, exact):
    """Set the values of the pixels from `first` to `last`, exclusive, to scipy's result."""
    reach, size = len(half) - 1, shares.shape[1]
    left, right = max(first - reach, 0) * 3, min(last + reach, size // 3) * 3
    correlate_row(shares.reshape(-1), rows * size + left, half, row[3 * reach + left : 3 * reach + right])
    if first < reach or last + reach > size // 3:
        _extend(row, columns, reach)
    taps = np.arange(2 * reach + 1) * 3
    correlate_row(row[first * 3 :], taps, half, exact[first * 3 : last * 3])
