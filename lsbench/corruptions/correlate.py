"""Weighted sums of shifted rows, added in the order of scipy's and the package's own loops.

A row of the result is computed in the first-level cache: several taps at a time are added to it, from left to
right as in the formula, each product and each sum rounded separately. LLVM vectorises along the row, which
changes no order. Images are float64 of shape ``(H, W * C)``: a step of one pixel is C numbers.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsbench.corruptions.random_stream import U64, compiled, helper, inlined

Floats = NDArray[np.float64]


def gaussian(
    image: Floats, channels: int, sigma: tuple[float, float], truncate: float, border: str
) -> Floats:
    """Return the result of `scipy.ndimage.gaussian_filter` over the first two axes of ``(H, W, C)``.

    Args:
        image: float64 ``(H, W * C)``, contiguous.
        channels: C.
        sigma: Standard deviations downwards and to the right, in pixels.
        truncate: End of the kernel, in standard deviations.
        border: ``nearest`` (repeat the last pixel) or ``reflect`` (mirror, the last pixel twice).
    """
    height, width = image.shape[0], image.shape[1] // channels
    down, right = (half_gaussian(float(s), float(truncate)) for s in sigma)
    out = np.empty_like(image)
    rows = border_indices(height, len(down) - 1, border)
    columns = border_indices(width, len(right) - 1, border)
    _separable(image, channels, down, right, rows, columns, out)
    return out


@lru_cache(maxsize=64)
def half_gaussian(sigma: float, truncate: float) -> Floats:
    """Return scipy's kernel of a Gaussian from its centre outwards; for sigma 0 the identity."""
    if sigma == 0.0:
        return np.ones(1)
    radius = int(truncate * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 / (sigma * sigma) * steps**2)
    half: Floats = (kernel / kernel.sum())[: radius + 1]
    return half[::-1].copy()


@lru_cache(maxsize=64)
def border_indices(length: int, reach: int, border: str) -> NDArray[np.int64]:
    """Return the indices inside the array for ``-reach .. length + reach - 1``.

    >>> border_indices(3, 2, "nearest").tolist(), border_indices(3, 2, "reflect").tolist()
    ([0, 0, 0, 1, 2, 2, 2], [1, 0, 0, 1, 2, 2, 1])
    """
    asked = np.arange(-reach, length + reach)
    if border == "nearest":
        return np.clip(asked, 0, length - 1)
    asked %= 2 * length
    return np.minimum(asked, 2 * length - 1 - asked)


@compiled
def _separable(image, channels, down, right, rows, columns, out):
    size, reach = image.shape[1], (len(right) - 1) * channels
    row, flat = np.empty(size + 2 * reach), image.reshape(-1)
    # Starts of the rows that a row of the result is computed from, from top to bottom.
    offsets = rows * size
    taps = np.arange(2 * len(right) - 1) * channels
    for y in range(len(image)):
        correlate_row(flat, offsets[y : y + 2 * len(down) - 1], down, row[reach : reach + size])
        for x in range(len(right) - 1):
            left, after = columns[x] * channels, columns[len(columns) - 1 - x] * channels
            for c in range(channels):
                row[x * channels + c] = row[reach + left + c]
                row[len(row) - (x + 1) * channels + c] = row[reach + after + c]
        correlate_row(row, taps, right, out[y])


@helper
def correlate_row(source, offsets, half, out):
    """Correlate a row like scipy: the centre, then pairs of taps from the outermost inwards.

    Args:
        source: Flat numbers, float64 or float32.
        offsets: Starts of the taps in `source`, from the first to the last, int64.
        half: The kernel from its centre outwards, of the same type as `source`.
        out: Receives the sums, of the same type.
    """
    size, middle = len(out), len(half) - 1
    centre, weight = source[offsets[middle] : offsets[middle] + size], half[0]
    for i in range(U64(0), U64(size)):
        out[i] = centre[i] * weight
    tap = middle
    if tap % 2:
        a, b = offsets[middle - tap], offsets[middle + tap]
        _add_pair(out, source[a : a + size], source[b : b + size], half[tap])
        tap -= 1
    while tap > 0:
        a, b = offsets[middle - tap], offsets[middle + tap]
        c, d = offsets[middle - tap + 1], offsets[middle + tap - 1]
        _add_two_pairs(
            out,
            source[a : a + size],
            source[b : b + size],
            half[tap],
            source[c : c + size],
            source[d : d + size],
            half[tap - 1],
        )
        tap -= 2


@helper
def _add_pair(out, a, b, weight):
    for i in range(U64(0), U64(len(out))):
        out[i] += (a[i] + b[i]) * weight


@helper
def _add_two_pairs(out, a, b, weight, c, d, inner):
    for i in range(U64(0), U64(len(out))):
        out[i] = (out[i] + (a[i] + b[i]) * weight) + (c[i] + d[i]) * inner


@compiled
def weighted_rows(source, offsets, weights, out):
    """Set `out` to the sum of ``weights[k] * source[offsets[k]:]``, added one after the other."""
    size, taps = len(out), len(weights)
    out[:] = 0.0
    k = 0
    while k + 4 <= taps:
        _add_four(out, source, offsets[k : k + 4], weights[k : k + 4])
        k += 4
    while k < taps:
        part, weight = source[offsets[k] : offsets[k] + size], weights[k]
        for i in range(U64(0), U64(size)):
            out[i] += weight * part[i]
        k += 1


@helper
def _add_four(out, source, offsets, weights):
    size = len(out)
    a, b = source[offsets[0] : offsets[0] + size], source[offsets[1] : offsets[1] + size]
    c, d = source[offsets[2] : offsets[2] + size], source[offsets[3] : offsets[3] + size]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for i in range(U64(0), U64(size)):
        out[i] = (((out[i] + w0 * a[i]) + w1 * b[i]) + w2 * c[i]) + w3 * d[i]


def gaussian_single(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return the result of `skimage.filters.gaussian` on a float32 plane with default settings.

    Sums are taken in float64 and rounded to float32 after columns and after rows.

    Args:
        plane: Numbers, ``(H, W)``.
        sigma: Standard deviation in pixels.
    """
    downwards = gaussian(plane.astype(np.float64), 1, (sigma, 0.0), 4.0, "nearest").astype(np.float32)
    return gaussian(downwards.astype(np.float64), 1, (0.0, sigma), 4.0, "nearest").astype(np.float32)


def gaussian_mirrored(plane: Floats, sigma: float, truncate: float) -> Floats:
    """Return a Gaussian with a mirrored border by way of cosines, at a cost that does not depend on `sigma`.

    A plane that is mirrored at its borders is a sum of cosines, and a symmetric filter scales each of them.
    The result differs from scipy's by some 1e-16: after rounding to float32, in about one of a million
    numbers.

    Args:
        plane: Numbers of about 1, ``(H, W)``.
        sigma: Standard deviation in pixels.
        truncate: Standard deviations at which the Gaussian is cut off.
    """
    from scipy.fft import dctn, idctn

    down, right = (_response(sigma, truncate, side) for side in plane.shape)
    waves = dctn(plane, norm="ortho")
    waves *= down[:, None]
    waves *= right
    smoothed: Floats = idctn(waves, norm="ortho", overwrite_x=True)
    return smoothed


@lru_cache(maxsize=64)
def _response(sigma: float, truncate: float, length: int) -> Floats:
    """Return the Gaussian's factor for each cosine of a mirrored line of `length` numbers."""
    half = half_gaussian(sigma, truncate)
    # The angle is reduced while it is an integer: the cosine of a large angle would be inexact.
    turns = np.arange(length)[:, None] * np.arange(1, half.size) % (2 * length)
    return np.asarray(half[0] + 2.0 * (np.cos(np.pi * turns / length) @ half[1:]))


@inlined
def is_doubtful(level, guard):
    """Return whether a float32 grey level lies within `guard` of an integer, so that its byte is not sure."""
    # Black lies beyond half a grey level, where nothing is in doubt.
    level = min(max(level, np.float32(0.5)), np.float32(255.0))
    return abs(level - np.float32(np.int32(level)) - np.float32(0.5)) > np.float32(0.5) - guard
