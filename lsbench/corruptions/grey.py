"""Bytes to shares of white and back, as the package rounds them: divided by 255, and cut, not rounded."""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsbench.corruptions.random_stream import U64, compiled

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]


def to_shares(image: Image) -> Floats:
    """Return ``image / 255`` as float64 ``(H, W * C)``.

    >>> to_shares(np.full((1, 1, 3), 51, np.uint8)).tolist()
    [[0.2, 0.2, 0.2]]
    """
    shares = np.empty((len(image), image.size // len(image)))
    _divide(image.reshape(-1), shares.reshape(-1))
    return shares


def to_bytes(shares: Floats, shape: tuple[int, ...], *, white: float = 1.0) -> Image:
    """Return `shares` as an image of `shape`: kept between 0 and `white`, which becomes 255, then cut.

    >>> to_bytes(np.array([[-0.5, 0.999, 2.0]]), (1, 1, 3)).tolist()
    [[[0, 254, 255]]]
    """
    out = np.empty(shape, np.uint8)
    _cut(shares.reshape(-1), white, 255.0 / white, out.reshape(-1))
    return out


@compiled
def _divide(values, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = values[i] / 255.0


@compiled
def _cut(shares, white, scale, out):
    for i in range(U64(0), U64(len(out))):
        out[i] = np.uint8(np.int32(min(max(shares[i], 0.0), white) * scale))
