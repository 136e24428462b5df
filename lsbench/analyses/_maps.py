"""Statistics of maps: the evenness of their spread over positions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def entropy(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each map (N, h, w) over positions, divided by its maximum, shape (N,).

    >>> entropy(np.array([[[1.0, 1.0]], [[2.0, 0.0]]])).round(6).tolist()
    [1.0, 0.0]

    Args:
        maps: Values of at least 0.
    """
    share = maps.reshape(len(maps), -1)
    share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    nats = -(share * np.log(np.maximum(share, 1e-300))).sum(axis=1)
    found: NDArray[np.float64] = np.maximum(nats, 0.0) / math.log(max(share.shape[1], 2))
    return found
