"""A Gaussian over a plane, equal to scipy's to the last bit, and a faster one for very wide Gaussians."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lsbench.data.corruptions.plane_blur_kernels import filter_down, filter_right

Plane = NDArray[np.float64]
#: What lies outside a plane: its border once more (``a a | a b c``), or the plane mirrored (``b a | a b c``).
Edge = Literal["nearest", "reflect"]


def smooth(plane: Plane, sigmas: tuple[float, float], *, edge: Edge, truncate: float) -> Plane:
    """Return ``scipy.ndimage.gaussian_filter(plane, sigmas, mode=edge, truncate=truncate)``, to the bit.

    Args:
        plane: Numbers, ``(H, W)``.
        sigmas: Standard deviations along columns and along rows, in pixels.
        edge: What lies outside.
        truncate: Standard deviations at which the Gaussian is cut off.
    """
    halfway, smoothed = np.empty_like(plane), np.empty_like(plane)
    down, right = (half_gaussian(sigma, truncate) for sigma in sigmas)
    filter_down(plane, down, places(plane.shape[0], down.size - 1, edge), halfway)
    filter_right(halfway, right, places(plane.shape[1], right.size - 1, edge), smoothed)
    return smoothed


def smooth_single(plane: NDArray[np.float32], sigma: float, *, edge: Edge, truncate: float) -> Plane:
    """Return what scipy makes of a plane in float32: sums in float64, rounded after columns and after rows.

    Args:
        plane: Numbers, ``(H, W)``.
        sigma: Standard deviation in pixels.
        edge: What lies outside.
        truncate: Standard deviations at which the Gaussian is cut off.

    Returns:
        Numbers that float32 can hold, in float64.
    """
    weights = half_gaussian(sigma, truncate)
    source, halfway = plane.astype(np.float64), np.empty(plane.shape)
    filter_down(source, weights, places(plane.shape[0], weights.size - 1, edge), halfway)
    rounded = halfway.astype(np.float32).astype(np.float64)
    filter_right(rounded, weights, places(plane.shape[1], weights.size - 1, edge), halfway)
    return halfway.astype(np.float32).astype(np.float64)


def smooth_mirrored(plane: Plane, sigma: float, *, truncate: float) -> Plane:
    """Return :func:`smooth` with a mirrored edge by way of cosines, whose cost does not grow with `sigma`.

    A plane that is mirrored at its borders is a sum of cosines, and a symmetric filter scales each of them.
    The result differs from scipy's by some 1e-16: rounded to float32, in about one of a million numbers.

    Args:
        plane: Numbers of about 1, ``(H, W)``.
        sigma: Standard deviation in pixels.
        truncate: Standard deviations at which the Gaussian is cut off.
    """
    from scipy.fft import dctn, idctn

    weights = half_gaussian(sigma, truncate)
    down, right = (cosine_response(weights.tobytes(), side) for side in plane.shape)
    waves = dctn(plane, norm="ortho")
    waves *= down[:, None]
    waves *= right
    smoothed: Plane = idctn(waves, norm="ortho", overwrite_x=True)
    return smoothed


@lru_cache(maxsize=64)
def half_gaussian(sigma: float, truncate: float) -> Plane:
    """Return the weights of the centre and of the taps at distance 1, 2, ... of scipy's Gaussian."""
    reach = int(truncate * sigma + 0.5)
    # scipy normalises the whole kernel, summed by numpy: its half alone would round otherwise.
    bell = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    return np.ascontiguousarray((bell / bell.sum())[reach:])


@lru_cache(maxsize=64)
def places(length: int, reach: int, edge: Edge) -> NDArray[np.intp]:
    """Return which element is read at each place from ``-reach`` to ``length - 1 + reach``."""
    outside = np.arange(-reach, length + reach)
    if edge == "nearest":
        return outside.clip(0, length - 1)
    within = outside % (2 * length)
    return np.minimum(within, 2 * length - 1 - within)


@lru_cache(maxsize=64)
def cosine_response(weights: bytes, length: int) -> Plane:
    """Return what a symmetric filter multiplies each cosine of a mirrored line with.

    Args:
        weights: Weights of the centre and of the taps at distance 1, 2, ..., bytes of float64.
        length: Length of the line.
    """
    taps = np.frombuffer(weights)
    # The angle is reduced while it is an integer: the cosine of a large one would be inexact.
    turns = np.arange(length)[:, None] * np.arange(1, taps.size) % (2 * length)
    return np.asarray(taps[0] + 2.0 * (np.cos(np.pi * turns / length) @ taps[1:]))
