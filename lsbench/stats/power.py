"""How many seeds a paired t test needs, computed with scipy.

The variance of a mean difference has a part that shrinks with more seeds and, where images are compared, a
part of the images, which stays.
"""

from __future__ import annotations

import math

from scipy import special

from lsbench.stats.paired import Difference
from lsbench.stats.seeds import LEVEL

POWER = 0.8
#: With fewer seeds, too little is known of their spread; more than this many are not counted.
FEWEST_SEEDS, MOST_SEEDS = 3, 10_000


def power_of_t_test(effect: float, error: float, freedom: float, *, level: float = 1 - LEVEL) -> float:
    """Return the probability that a two-sided t test detects a true difference.

    Args:
        effect: The true difference.
        error: Standard error of the difference, above 0.
        freedom: Degrees of freedom of the error; may be infinite.
        level: Significance level of the test.

    Source:
        Noncentral t distribution; Cohen, Statistical Power Analysis, 2nd ed., chapter 2.
    """
    tail, shift = 1 - level / 2, abs(effect) / error
    if math.isinf(freedom):
        critical = special.ndtri(tail)
        return float(special.ndtr(shift - critical) + special.ndtr(-shift - critical))
    critical = special.stdtrit(freedom, tail)
    missed = special.nctdtr(freedom, shift, critical), special.nctdtr(freedom, shift, -critical)
    # Far from the critical value scipy gives NaN instead of 0.
    above, below = (0.0 if math.isnan(one) else float(one) for one in missed)
    return 1 - above + below


def seeds_to_detect(effect: float, found: Difference, *, level: float = 1 - LEVEL) -> int | None:
    """Return how many seeds would detect a true difference in 80 % of cases, at least three.

    Args:
        effect: The true difference.
        found: The difference over at least two seeds, whose spread is taken for the true one.
        level: Significance level of the test.

    Returns:
        None if even :data:`MOST_SEEDS` would not, as where the images alone are too few, or if the spread is
        not known.
    """
    if found.error is None or found.error <= 0 or found.seeds < 2 or effect == 0:
        return None

    def is_enough(seeds: int) -> bool:
        return power_of_t_test(effect, *_with_seeds(found, seeds), level=level) >= POWER

    if not is_enough(MOST_SEEDS):
        return None
    low, high = FEWEST_SEEDS - 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _with_seeds(found: Difference, seeds: int) -> tuple[float, float]:
    """Return the standard error of a difference with another number of seeds, and its degrees of freedom."""
    whole = float(found.error or 0.0) ** 2
    of_seeds = whole * min((found.seeds - 1) / found.freedom, 1.0)
    of_images = whole - of_seeds
    now = of_seeds * found.seeds / seeds
    freedom = (seeds - 1) * (now + of_images) / now if now > 0 else math.inf
    return math.sqrt(now + of_images), freedom
