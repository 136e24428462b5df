"""Textured, coloured backgrounds made from random numbers alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Canvas = NDArray[np.float64]


def draw_clutter(rng: np.random.Generator, img_size: int) -> Canvas:
    """Return a square of blended colours, cloudy texture, one pattern and a few shapes.

    Returns:
        RGB values in [0, 255], float64, shape ``(img_size, img_size, 3)``.
    """
    clouds = _clouds(rng, img_size)[..., None]
    canvas = pick_colour(rng, 30, 220) * (1.0 - clouds) + pick_colour(rng, 30, 220) * clouds
    pattern = _pattern(rng, img_size)[..., None]
    canvas += rng.uniform(0.15, 0.5) * pattern * (pick_colour(rng, 20, 235) - canvas)
    for _ in range(int(rng.integers(2, 6))):
        shape = _shape(rng, img_size)[..., None]
        canvas += rng.uniform(0.4, 0.9) * shape * (pick_colour(rng, 20, 235) - canvas)
    canvas += rng.integers(-12, 13, size=canvas.shape)
    return np.clip(canvas, 0.0, 255.0)


def pick_colour(rng: np.random.Generator, low: int, high: int) -> NDArray[np.float64]:
    """Return a random colour whose channels lie in ``[low, high]``, shape ``(3,)``."""
    return rng.integers(low, high + 1, size=3).astype(np.float64)


def _clouds(rng: np.random.Generator, img_size: int) -> Canvas:
    """Return smooth noise in [0, 1]: coarse blobs plus finer ones at half and a quarter of the strength."""
    total = np.zeros((img_size, img_size))
    for octave, cells in enumerate((3, 7, 15)):
        grid = rng.integers(0, 256, size=(cells, cells)).astype(np.uint8)
        smooth = Image.fromarray(grid).resize((img_size, img_size), Image.Resampling.BICUBIC)
        total += np.asarray(smooth, dtype=np.float64) / 255.0 * 0.5**octave
    return total / 1.75


def _pattern(rng: np.random.Generator, img_size: int) -> Canvas:
    """Return stripes or checks of random direction, period and sharpness, values in [0, 1]."""
    rows, cols = np.mgrid[0:img_size, 0:img_size].astype(np.float64) / img_size
    first = _stripes(rng, rows, cols)
    if rng.random() < 0.4:
        first = np.abs(first - _stripes(rng, rows, cols))
    return first


def _stripes(rng: np.random.Generator, rows: Canvas, cols: Canvas) -> Canvas:
    along, across = rng.uniform(-1.0, 1.0, size=2) * rng.uniform(4.0, 16.0)
    position = rows * along + cols * across + rng.random()
    triangle = np.abs(2.0 * (position - np.floor(position)) - 1.0)
    stripes: Canvas = np.clip((triangle - 0.5) * rng.uniform(1.0, 6.0) + 0.5, 0.0, 1.0)
    return stripes


def _shape(rng: np.random.Generator, img_size: int) -> Canvas:
    """Return a rotated rectangle or an ellipse as a mask with a one-pixel soft edge."""
    rows, cols = np.mgrid[0:img_size, 0:img_size].astype(np.float64)
    centre_y, centre_x = rng.uniform(0, img_size, size=2)
    half_y, half_x = rng.uniform(0.06, 0.28, size=2) * img_size
    lean = rng.uniform(-1.0, 1.0)
    y, x = rows - centre_y, cols - centre_x
    u, v = (y + lean * x) / half_y, (x - lean * y) / half_x
    distance = np.maximum(np.abs(u), np.abs(v)) if rng.random() < 0.5 else np.sqrt(u * u + v * v)
    mask: Canvas = np.clip((1.0 - distance) * min(half_y, half_x) + 0.5, 0.0, 1.0)
    return mask
