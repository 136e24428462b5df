"""Planes of random numbers: what a RandomState draws, and its state afterwards, in a fraction of the time."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.data.corruptions.draws_kernels import skip_normals
from lsbench.data.corruptions.random_stream import fill_doubles, fill_normals, stream_of

Plane = NDArray[np.float64]


def draw_uniform(rng: RandomState, low: float, high: float, shape: tuple[int, ...]) -> Plane:
    """Return ``rng.uniform(low, high, size=shape)``."""
    numbers = np.empty(shape)
    with stream_of(rng) as stream:
        fill_doubles(stream, numbers.ravel())
    numbers *= high - low
    numbers += low
    return numbers


def draw_normal(rng: RandomState, mean: float, deviation: float, shape: tuple[int, ...]) -> Plane:
    """Return ``rng.normal(mean, deviation, size=shape)``."""
    return draw_normal_rows(rng, mean, deviation, shape, range(shape[0]))


def draw_normal_rows(
    rng: RandomState, mean: float, deviation: float, shape: tuple[int, ...], rows: range
) -> Plane:
    """Return some rows of ``rng.normal(mean, deviation, size=shape)``; of the others only words are drawn.

    Args:
        rng: Draws for the whole plane.
        mean: Of the numbers.
        deviation: Standard deviation of the numbers.
        shape: Of the whole plane.
        rows: Rows that are returned, next to each other.
    """
    height, width = shape
    numbers = np.empty((len(rows), width))
    with stream_of(rng) as stream:
        skip_normals(stream, rows.start * width)
        fill_normals(stream, numbers.ravel())
        skip_normals(stream, (height - rows.stop) * width)
    numbers *= deviation
    numbers += mean
    return numbers
