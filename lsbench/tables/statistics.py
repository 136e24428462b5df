"""Uncertainty over seeds: intervals of means and of paired differences. scipy does the mathematics."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval.

    Attributes:
        value: The mean.
        low: Lower end, None with fewer than two seeds.
        high: Upper end, None with fewer than two seeds.
        n: Number of seeds.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def mean_over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean and its 95 % Student t interval.

    >>> round(mean_over_seeds([1.0, 2.0, 3.0]).half_width, 3)
    2.484

    Raises:
        ValueError: If there is no value.
    """
    if not values:
        raise ValueError("no value to average")
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    mean = float(np.add.reduce(array) / n)
    if n < 2:
        return Estimate(mean, None, None, n)
    offsets = array - mean
    deviation = math.sqrt(np.add.reduce(offsets * offsets) / (n - 1))  # a table has thousands of them
    half = _critical(n - 1) * deviation / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


@cache
def _critical(freedom: int) -> float:
    """Return the quantile of Student's t that ends the interval; `scipy.stats` takes a second to import."""
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def paired_difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> Estimate | None:
    """Return the mean difference over the seeds that both have, with its 95 % paired t interval.

    Args:
        values: Seed -> value of a variant.
        baseline: Seed -> value of the baseline.

    Returns:
        None if they share no seed.
    """
    shared = sorted(values.keys() & baseline.keys())
    if not shared:
        return None
    return mean_over_seeds([values[seed] - baseline[seed] for seed in shared])


def pooled_deviation(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation within groups, or None if no group has two values."""
    rich = [np.asarray(group, dtype=np.float64) for group in groups if len(group) > 1]
    if not rich:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in rich)
    return float(np.sqrt(squares / sum(len(group) - 1 for group in rich)))


def detectable_difference(deviation: float, n: int, *, power: float = 0.8) -> float:
    """Return the smallest true difference that a paired t test over `n` seeds finds in `power` of all cases.

    Args:
        deviation: Standard deviation of the paired differences.
        n: Seeds, at least 2.
        power: Probability of finding it.

    Source:
        Noncentral t distribution; Cohen, Statistical Power Analysis, 2nd ed., chapter 2.
    """
    critical = _critical(n - 1)
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        found = 1 - special.nctdtr(n - 1, middle, critical)
        low, high = (middle, high) if found < power else (low, middle)
    return float(high * deviation / np.sqrt(n))


def seeds_needed(deviation: float, difference: float, *, most: int = 1000) -> int | None:
    """Return how many seeds a paired t test needs to find `difference` in 80 % of all cases.

    Returns:
        None if more than `most` are needed.
    """
    if detectable_difference(deviation, most) > difference:
        return None
    counts = range(2, most + 1)  # more seeds find smaller differences, so bisection works
    return counts[bisect_left(counts, True, key=lambda n: detectable_difference(deviation, n) <= difference)]
