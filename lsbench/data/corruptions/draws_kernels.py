"""Normal numbers that are drawn and thrown away, at the cost of their words alone."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.data.corruptions.random_stream import CHUNK, compiled, fill_points, next_normal


@compiled
def skip_normals(stream, count):
    """Leave the stream where ``standard_normal(count)`` leaves it."""
    if count > 0 and stream.place[1]:
        next_normal(stream)
        count -= 1
    x, y, squares = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    while count > 1:
        points = min(CHUNK, count // 2)
        fill_points(stream, x[:points], y[:points], squares[:points])
        count -= 2 * points
        stream.kept[0] = 0.0
    if count > 0:
        next_normal(stream)
