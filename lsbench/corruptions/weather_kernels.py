"""The loops of fog, frost and snow.

Sums are taken in the order of the array operations that they replace: results are truncated to bytes, and an
error in the last bit would change flat areas by one.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.corruptions.random_stream import compiled, helper


@compiled
def grow_plasma(heights, draws, decay):
    """Fill a map with random heights by the diamond-square algorithm, wrapped around its borders.

    The corner starts at 0; each step halves the grid and divides the draws by `decay`.

    Args:
        heights: Receives the map, float64, ``(side, side)``, the side a power of two.
        draws: Uniform numbers in [0, 1), float64, ``(side * side - 1,)``: one for each other height.
        decay: Divisor of the spread from step to step.
    """
    side = heights.shape[0]
    heights[0, 0] = 0.0
    step, spread, drawn = side, 100.0, 0
    while step >= 2:
        drawn = _fill_squares(heights, step, spread, draws, drawn)
        drawn = _fill_diamonds(heights, step, spread, draws, drawn)
        step //= 2
        spread /= decay


@helper
def _rough(total, spread, draw):
    """Return the mean of four heights plus a random number within ``spread ** 2``."""
    return total / 4.0 + spread * (-spread + (spread - -spread) * draw)


@helper
def _fill_squares(heights, step, spread, draws, drawn):
    """Fill the middle of each square of the grid, row by row, and return the count of numbers used."""
    side, half = heights.shape[0], step // 2
    for row in range(0, side, step):
        below = (row + step) % side
        for column in range(0, side, step):
            right = (column + step) % side
            total = (heights[row, column] + heights[below, column]) + (
                heights[row, right] + heights[below, right]
            )
            heights[row + half, column + half] = _rough(total, spread, draws[drawn])
            drawn += 1
    return drawn


@helper
def _fill_diamonds(heights, step, spread, draws, drawn):
    """Fill the middles of the upper, then of the left sides of the squares; return the numbers used up."""
    side, half = heights.shape[0], step // 2
    for row in range(0, side, step):
        above = (row + half - step) % side
        for column in range(0, side, step):
            middles = heights[row + half, column + half] + heights[above, column + half]
            total = middles + (heights[row, column] + heights[row, (column + step) % side])
            heights[row, column + half] = _rough(total, spread, draws[drawn])
            drawn += 1
    for row in range(0, side, step):
        below = (row + step) % side
        for column in range(0, side, step):
            middles = heights[row + half, column + half] + heights[row + half, (column + half - step) % side]
            total = middles + (heights[row, column] + heights[below, column])
            heights[row + half, column] = _rough(total, spread, draws[drawn])
            drawn += 1
    return drawn


@compiled
def lay_fog(image, units, heights, strength, out):
    """Add a map of heights, scaled to [0, `strength`], and keep the image's brightest level.

    Args:
        image: Pixels, uint8, ``(H, W, 3)``.
        units: ``byte / 255`` of each byte, float64, ``(256,)``.
        heights: The map, float64, at least ``(H, W)``.
        strength: Amount that the highest point adds.
        out: Receives the result, as `image`.
    """
    brightest = units[_largest_byte(image)]
    lowest, highest = _range(heights)
    tallest = highest - lowest
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            fog = strength * ((heights[row, column] - lowest) / tallest)
            for channel in range(3):
                level = (units[image[row, column, channel]] + fog) * brightest / (brightest + strength)
                out[row, column, channel] = np.uint8(min(max(level, 0.0), 1.0) * 255.0)


@helper
def _largest_byte(image):
    largest = np.uint8(0)
    for byte in image.ravel():
        largest = max(largest, byte)
    return largest


@helper
def _range(heights):
    lowest = highest = heights[0, 0]
    for row in range(heights.shape[0]):
        for height in heights[row]:
            lowest = min(lowest, height)
            highest = max(highest, height)
    return lowest, highest


@compiled
def mix(image, texture, top, left, table, out):
    """Mix an image with a part of a texture: ``out = table[image, texture]``, byte by byte.

    Args:
        image: Pixels, uint8, ``(H, W, 3)``.
        texture: Pixels, uint8, ``(H', W', 3)``, with room for the image at (`top`, `left`).
        top: First row of the part.
        left: First column of the part.
        table: Result of each pair of bytes, uint8, ``(256, 256)``.
        out: Receives the result, as `image`.
    """
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            for channel in range(3):
                laid = texture[top + row, left + column, channel]
                out[row, column, channel] = table[image[row, column, channel], laid]
