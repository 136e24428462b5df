"""The loop of a symmetric filter over the rows or columns of a plane, summed in scipy's order."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.data.corruptions.random_stream import compiled


@compiled
def filter_down(plane, weights, places, out):
    """Filter each column: the centre first, then pairs of taps from the outermost to the innermost.

    Args:
        plane: Numbers, float64, ``(H, W)``.
        weights: Weights of the centre and of the taps at distance 1 to R, float64, ``(R + 1,)``.
        places: Row that is read at each row from ``-R`` to ``H - 1 + R``, integers, ``(H + 2 R,)``.
        out: Where the result goes, as `plane`.
    """
    reach = weights.shape[0] - 1
    for row in range(plane.shape[0]):
        _start(out[row], plane[places[row + reach]], weights[0])
        distance = reach
        while distance >= 4:
            _add_four(out[row], plane, places, row + reach, distance, weights)
            distance -= 4
        while distance >= 1:
            above, below = plane[places[row + reach - distance]], plane[places[row + reach + distance]]
            _add_pair(out[row], above, below, weights[distance])
            distance -= 1


@compiled
def filter_right(plane, weights, places, out):
    """Filter each row, as :func:`filter_down` filters columns; `places` are columns, ``(W + 2 R,)``."""
    reach, width = weights.shape[0] - 1, plane.shape[1]
    line = np.empty(places.shape[0])
    for row in range(plane.shape[0]):
        for index in range(places.shape[0]):
            line[index] = plane[row, places[index]]
        _start(out[row], line[reach : reach + width], weights[0])
        for distance in range(reach, 0, -1):
            before = line[reach - distance : reach - distance + width]
            after = line[reach + distance : reach + distance + width]
            _add_pair(out[row], before, after, weights[distance])


@compiled
def _start(sums, centre, weight):
    for index in range(sums.shape[0]):
        sums[index] = centre[index] * weight


@compiled
def _add_pair(sums, before, after, weight):
    for index in range(sums.shape[0]):
        sums[index] += (before[index] + after[index]) * weight


@compiled
def _add_four(sums, plane, places, centre, distance, weights):
    """Add four pairs of taps while a sum is in a register."""
    a, b = plane[places[centre - distance]], plane[places[centre + distance]]
    c, d = plane[places[centre - distance + 1]], plane[places[centre + distance - 1]]
    e, f = plane[places[centre - distance + 2]], plane[places[centre + distance - 2]]
    g, h = plane[places[centre - distance + 3]], plane[places[centre + distance - 3]]
    v, w, x, y = weights[distance], weights[distance - 1], weights[distance - 2], weights[distance - 3]
    for index in range(sums.shape[0]):
        total = sums[index] + (a[index] + b[index]) * v
        total += (c[index] + d[index]) * w
        total += (e[index] + f[index]) * x
        sums[index] = total + (g[index] + h[index]) * y
