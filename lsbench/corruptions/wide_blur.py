"""Gaussians that :func:`~lsbench.corruptions.correlate.gaussian` does not cover: wide, or in float32."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsbench.corruptions.correlate import Floats, gaussian, half_gaussian


def gaussian_single(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return what `skimage.filters.gaussian` makes of a plane in float32 by default.

    Sums are taken in float64 and rounded to float32 after columns and after rows.

    Args:
        plane: Numbers, ``(H, W)``.
        sigma: Standard deviation in pixels.
    """
    downwards = gaussian(plane.astype(np.float64), 1, (sigma, 0.0), 4.0, "nearest").astype(np.float32)
    return gaussian(downwards.astype(np.float64), 1, (0.0, sigma), 4.0, "nearest").astype(np.float32)


def gaussian_mirrored(plane: Floats, sigma: float, truncate: float) -> Floats:
    """Return a Gaussian with a mirrored border by way of cosines, whose cost does not grow with `sigma`.

    A plane that is mirrored at its borders is a sum of cosines, and a symmetric filter scales each of them.
    The result differs from scipy's by some 1e-16: rounded to float32, in about one of a million numbers.

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
    """Return what the Gaussian multiplies each cosine of a mirrored line of `length` numbers with."""
    half = half_gaussian(sigma, truncate)
    # The angle is reduced while it is an integer: the cosine of a large one would be inexact.
    turns = np.arange(length)[:, None] * np.arange(1, half.size) % (2 * length)
    return np.asarray(half[0] + 2.0 * (np.cos(np.pi * turns / length) @ half[1:]))
