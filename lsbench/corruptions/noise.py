"""The kinds of noise: Gaussian, shot, impulse and speckle.

The two normal kinds use fast arithmetic: a value is computed with a polynomial in place of the C library's
logarithm, to about 1e-11 grey levels, and truncated to a byte. Only if it lies so close to an integer that
this could be the wrong side, the values around it are computed again, operation by operation as in the
package.

Impulse noise in the package ignores every seed. Here its doubles come from the stream: first one per value,
in memory order, which flips the value if it is at most the severity's fraction; then again one per value, for
white if it is at most one half, else black.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, assignment"
from __future__ import annotations

import math

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.poisson import fill_poisson, means_of_greys
from lsbench.corruptions.random_stream import (
    CHUNK,
    U64,
    compiled,
    fill_doubles,
    fill_points,
    helper,
    leading_normals,
    polar_scale,
    stream_of,
)

Image = NDArray[np.uint8]
#: Values this close to an integer, in grey levels, are computed again: 100,000 times the approximation error.
GUARD = 1e-6


def gaussian_noise(image: Image, severity: int, rng: RandomState) -> Image:
    """Add a normal number to every value."""
    return with_normals(image, (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1], rng, relative=False)


def speckle_noise(image: Image, severity: int, rng: RandomState) -> Image:
    """Add a normal number times the value to every value."""
    return with_normals(image, (0.15, 0.2, 0.35, 0.45, 0.6)[severity - 1], rng, relative=True)


def shot_noise(image: Image, severity: int, rng: RandomState) -> Image:
    """Replace every value by a Poisson number of that mean: few photons at a high severity."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    shown = (np.clip(np.arange(256) / float(photons), 0, 1) * 255).astype(np.uint8)
    out = np.empty_like(image)
    fill_poisson(stream_of(rng), image.reshape(-1), means_of_greys(photons), shown, out.reshape(-1))
    return out


def impulse_noise(image: Image, severity: int, rng: RandomState) -> Image:
    """Turn a fraction of all values white or black."""
    out = np.empty_like(image)
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    _salt_and_pepper(stream_of(rng), image.reshape(-1), share, out.reshape(-1))
    return out


def with_normals(
    image: Image, scale: float, rng: RandomState, *, relative: bool, guard: float = GUARD
) -> Image:
    """Return ``x + scale * normal`` per value, or ``x + x * scale * normal`` if `relative`, as bytes.

    Args:
        image: Any shape of uint8, contiguous.
        scale: Standard deviation; white is 1.
        rng: Draws the normals, in memory order.
        relative: Whether the noise grows with the value.
        guard: Distance from an integer, in grey levels, below which a value is computed again; 0.5: always.
    """
    words, out = stream_of(rng), np.empty_like(image)
    values, drawn = image.reshape(-1), out.reshape(-1)
    leading = leading_normals(rng, words, values.size)
    start = len(leading)
    end = start + (values.size - start) // 2 * 2
    for at, normal in enumerate(leading):
        drawn[at] = _noisy(values[at], scale * normal, relative)
    _add_pairs(words, values[start:end], scale, relative, guard, drawn[start:end])
    if end < values.size:
        drawn[end] = _noisy(values[end], scale * rng.standard_normal(), relative)
    return out


@compiled
def _noisy(value, noise, relative):
    """Return one value as computed by the package."""
    x = value / 255.0
    return np.uint8(min(max(x + (x * noise if relative else noise), 0.0), 1.0) * 255.0)


@compiled
def _add_pairs(words, values, scale, relative, guard, out):
    x, y, squares = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    for start in range(0, len(values), 2 * CHUNK):
        part, shown = values[start : start + 2 * CHUNK], out[start : start + 2 * CHUNK]
        points = len(part) // 2
        fill_points(words, x[:points], y[:points], squares[:points])
        if _add_fast(x, y, squares, part, 255.0 * scale, relative, guard, shown):
            for i in range(points):
                length = polar_scale(squares[i])
                shown[2 * i] = _noisy(part[2 * i], scale * (length * y[i]), relative)
                shown[2 * i + 1] = _noisy(part[2 * i + 1], scale * (length * x[i]), relative)


@helper
def _add_fast(x, y, squares, values, scale, relative, guard, out):
    """Add normals to `values`, in grey levels; return the number of doubtful results."""
    doubts = 0
    constant, slope = (0.0, scale / 255.0) if relative else (scale, 0.0)
    for i in range(U64(0), U64(len(values) // 2)):
        length = math.sqrt(-2.0 * _approximate_log(squares[i]) / squares[i])
        first, second = np.float64(values[U64(2) * i]), np.float64(values[U64(2) * i + U64(1)])
        first += (constant + slope * first) * (length * y[i])
        second += (constant + slope * second) * (length * x[i])
        # Black and white beyond half a grey level, where nothing is in doubt.
        first, second = min(max(first, 0.5), 255.5), min(max(second, 0.5), 255.5)
        low, high = np.int32(first), np.int32(second)
        doubts += abs(first - low - 0.5) > 0.5 - guard
        doubts += abs(second - high - 0.5) > 0.5 - guard
        out[U64(2) * i], out[U64(2) * i + U64(1)] = low, high
    return doubts


@compiled
def _approximate_log(number):
    """Return the logarithm of a positive number to 1e-13; unlike the C library's, LLVM vectorises it.

    The number is ``m * 2**e`` with m between sqrt(1/2) and sqrt(2); with ``s = (m - 1) / (m + 1)``,
    ``log(m) = 2 * (s + s**3 / 3 + s**5 / 5 + ...)``.
    """
    bits = np.float64(number).view(np.int64)
    exponent = np.int64(bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52)
    m = np.int64(bits - np.int64(exponent << np.int64(52))).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 1 / 15 + z * (1 / 17)
    for divisor in (13, 11, 9, 7, 5, 3, 1):
        series = 1 / divisor + z * series
    return np.int32(exponent) * 0.6931471805599453 + 2.0 * s * series


@compiled
def _salt_and_pepper(words, values, share, out):
    drawn = np.empty(CHUNK)
    for start in range(0, len(values), CHUNK):
        part, shown = values[start : start + CHUNK], out[start : start + CHUNK]
        fill_doubles(words, drawn[: len(part)])
        for i in range(U64(0), U64(len(part))):
            shown[i] = drawn[i] <= share
    for start in range(0, len(values), CHUNK):
        part, shown = values[start : start + CHUNK], out[start : start + CHUNK]
        fill_doubles(words, drawn[: len(part)])
        for i in range(U64(0), U64(len(part))):
            extreme = 255 if drawn[i] <= 0.5 else 0
            shown[i] = extreme if shown[i] else part[i]


CORRUPTIONS = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "speckle_noise": speckle_noise,
}
