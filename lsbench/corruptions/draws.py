"""Planes of random numbers: a RandomState's draws and its state afterwards, in a fraction of the time."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.corruptions.random_stream import (
    CHUNK,
    compiled,
    fill_doubles,
    fill_pairs,
    fill_points,
    leading_normals,
    stream_of,
)

Plane = NDArray[np.float64]


def draw_uniform(rng: RandomState, low: float, high: float, shape: tuple[int, ...]) -> Plane:
    """Return ``rng.uniform(low, high, size=shape)``."""
    numbers = np.empty(shape)
    fill_doubles(stream_of(rng), numbers.ravel())
    numbers *= high - low
    numbers += low
    return numbers


def draw_normal(rng: RandomState, mean: float, deviation: float, shape: tuple[int, int]) -> Plane:
    """Return ``rng.normal(mean, deviation, size=shape)``."""
    return draw_normal_rows(rng, mean, deviation, shape, range(shape[0]))


def draw_normal_rows(
    rng: RandomState, mean: float, deviation: float, shape: tuple[int, int], rows: range
) -> Plane:
    """Return some rows of ``rng.normal(mean, deviation, size=shape)``; for the others only words are drawn.

    Args:
        rng: Draws for the whole plane.
        mean: Mean of the numbers.
        deviation: Standard deviation of the numbers.
        shape: Shape of the whole plane.
        rows: Consecutive rows to return.
    """
    height, width = shape
    numbers, words = np.empty(height * width), stream_of(rng)
    leading = leading_normals(rng, words, numbers.size)
    numbers[: leading.size] = leading
    # The rest comes in pairs; those with a number in the rows are the ones from `first` to `last`.
    pairs = (numbers.size - leading.size) // 2
    first = max(rows.start * width - leading.size, 0) // 2
    last = min((rows.stop * width - leading.size + 1) // 2, pairs)
    skip_pairs(words, first)
    fill_pairs(words, numbers[leading.size + 2 * first : leading.size + 2 * last])
    skip_pairs(words, pairs - last)
    if leading.size + 2 * pairs < numbers.size:
        numbers[-1] = rng.standard_normal()
    kept = numbers.reshape(shape)[rows.start : rows.stop]
    kept *= deviation
    kept += mean
    return kept


@compiled
def skip_pairs(words, count):
    """Advance the stream as drawing `count` pairs of normals would."""
    x, y, squares = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    while count > 0:
        points = min(CHUNK, count)
        fill_points(words, x[:points], y[:points], squares[:points])
        count -= points
