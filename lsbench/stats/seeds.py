"""Uncertainty over seeds: intervals of means and of paired differences, computed with scipy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

LEVEL = 0.95
#: Above this many degrees of freedom, the normal distribution replaces Student's t.
MOST_FREEDOM = 1e5


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval.

    Attributes:
        value: The mean.
        low: Lower end; None with fewer than two seeds.
        high: Upper end; None with fewer than two seeds.
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
        """True if the interval lies on one side of zero."""
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
    deviation = math.sqrt(np.add.reduce(offsets * offsets) / (n - 1))  # called thousands of times per table
    half = _critical(n - 1) * deviation / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


@cache
def _critical(freedom: int) -> float:
    """Return the critical value of Student's t; `scipy.special`, since `scipy.stats` is slow to import."""
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def paired_difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> Estimate | None:
    """Return the mean difference over the shared seeds, with its 95 % paired t interval.

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


def detectable_effect(error: float, freedom: float, *, level: float = 1 - LEVEL, power: float = 0.8) -> float:
    """Return the smallest true difference that a two-sided t test detects with probability `power`.

    Args:
        error: Standard error of the difference.
        freedom: Degrees of freedom of the error; may be infinite.
        level: Significance level of the test.
        power: Probability of detection, above `level`.

    Source:
        Noncentral t distribution; Cohen, Statistical Power Analysis, 2nd ed., chapter 2.
    """
    tail = 1 - level / 2
    if freedom > MOST_FREEDOM:
        return float(error * (special.ndtri(tail) + special.ndtri(power)))
    return float(error * special.nctdtrinc(freedom, 1 - power, special.stdtrit(freedom, tail)))
