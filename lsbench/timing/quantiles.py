"""Intervals of quantiles of timings, which follow one another and so are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CHUNK = 200_000
"""Resamples drawn at a time: their memory must not show in the reported memory of a model."""


def quantile_intervals(
    samples: NDArray[np.float64],
    shares: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """Return the bootstrap interval of each quantile, resampling whole blocks of consecutive samples.

    Timings drift and come in bursts, so an interval that treats them as independent is too narrow. Blocks of
    about the square root of their number keep the correlation of neighbours.

    Args:
        samples: In the order of time, shape ``(n,)``, n > 0.
        shares: Quantiles as shares, e.g. 0.5 for the median.
        resamples: Bootstrap samples.
        level: Confidence of the intervals.
        seed: Seed of the resampling; the same samples always give the same intervals.

    Source:
        Politis & Romano, A circular block-resampling procedure for stationary data, 1992.

    >>> quantile_intervals(np.ones(9), [0.5])
    [(1.0, 1.0)]
    """
    size = len(samples)
    length = math.ceil(math.sqrt(size))
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, size, (resamples, math.ceil(size / length)))
    found = []
    for some in np.array_split(starts, math.ceil(resamples * size / CHUNK)):
        index = (some[:, :, None] + np.arange(length)).reshape(len(some), -1)[:, :size] % size
        found.append(np.quantile(samples[index], shares, axis=1))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(found, axis=1), [tail, 1 - tail], axis=1)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def relative_noise(samples: NDArray[np.float64], *, resamples: int = 200) -> float:
    """Return half the width of the median's 95 % interval over the median; infinite below six samples.

    >>> relative_noise(np.ones(9)), relative_noise(np.ones(5))
    (0.0, inf)
    """
    if len(samples) < 6:
        return math.inf
    [(low, high)] = quantile_intervals(samples, [0.5], resamples=resamples)
    return (high - low) / 2 / float(np.median(samples))


def samples_needed(share: float, level: float = 0.95) -> int:
    """Return the number of samples after which the largest exceeds a high quantile with confidence `level`.

    With fewer, no interval of that quantile has an upper end.

    >>> samples_needed(0.5), samples_needed(0.9), samples_needed(0.99)
    (6, 36, 368)
    """
    return math.ceil(math.log((1 - level) / 2) / math.log(share))
