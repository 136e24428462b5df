"""The loop of a blur along a path: a weighted sum of copies of a plane, each moved by its own offset."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

from lsbench.data.corruptions.random_stream import compiled


@compiled
def add_moved(plane, starts, weights, stride, out):
    """Fill `out` with ``sum(weights[t] * plane[starts[t] + row * stride + column])``, in the order of t.

    Args:
        plane: Numbers with a margin around them, float64, flat.
        starts: Where in `plane` the first element of each copy lies, integers, ``(T,)``.
        weights: Weights of the copies, float64, ``(T,)``.
        stride: Distance of two rows in `plane`.
        out: Where the sums go, float64, ``(H, W)``.
    """
    width = out.shape[1]
    for row in range(out.shape[0]):
        line, moved = out[row], row * stride
        first = plane[starts[0] + moved :]
        for column in range(width):
            line[column] = weights[0] * first[column]
        tap = 1
        while tap + 4 <= weights.shape[0]:
            _add_four(line, plane, starts, weights, moved, tap)
            tap += 4
        for rest in range(tap, weights.shape[0]):
            copy = plane[starts[rest] + moved :]
            for column in range(width):
                line[column] += weights[rest] * copy[column]


@compiled
def _add_four(line, plane, starts, weights, moved, tap):
    """Add four copies while a sum is in a register."""
    a, b = plane[starts[tap] + moved :], plane[starts[tap + 1] + moved :]
    c, d = plane[starts[tap + 2] + moved :], plane[starts[tap + 3] + moved :]
    w, x, y, z = weights[tap], weights[tap + 1], weights[tap + 2], weights[tap + 3]
    for column in range(line.shape[0]):
        total = line[column] + w * a[column]
        total += x * b[column]
        total += y * c[column]
        line[column] = total + z * d[column]


@compiled
def widen(plane, margin, channels, scale, out):
    """Copy a plane, times `scale`, and repeat its border `margin` pixels outwards on each side.

    Args:
        plane: Numbers, ``(H, W * channels)``.
        margin: Pixels.
        channels: Numbers of a pixel, which lie together.
        scale: What each number is multiplied by.
        out: Where it goes, float64, ``(H + 2 * margin, (W + 2 * margin) * channels)``.
    """
    height, length = plane.shape
    for row in range(out.shape[0]):
        source = plane[min(max(row - margin, 0), height - 1)]
        line = out[row]
        for index in range(margin * channels):
            line[index] = source[index % channels] * scale
            line[margin * channels + length + index] = source[length - channels + index % channels] * scale
        middle = line[margin * channels : margin * channels + length]
        for index in range(length):
            middle[index] = source[index] * scale
