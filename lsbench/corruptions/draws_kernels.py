"""Normal numbers that are drawn and thrown away, at the cost of their words alone."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np

from lsbench.corruptions.random_stream import CHUNK, compiled, fill_points


@compiled
def skip_pairs(words, count):
    """Leave the stream where drawing `count` pairs of normals leaves it."""
    x, y, squares = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    while count > 0:
        points = min(CHUNK, count)
        fill_points(words, x[:points], y[:points], squares[:points])
        count -= points
