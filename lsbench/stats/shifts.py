"""Tests for a loss or a gain, with its size, computed with scipy.

Every test is one-sided in each direction: `p_worse` is the probability of a loss at least as extreme as the
observed one if nothing had changed, `p_better` that of a gain. A positive worsening is a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lsbench.stats.paired import mcnemar_one_sided

#: Successive timings are correlated, so tests use the medians of at most this many stretches.
STRETCHES = 32
#: With fewer stretches on a side, no test could be significant.
FEWEST_STRETCHES = 6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """The size of a loss or gain, with its interval and p values.

    Attributes:
        worsening: The loss; negative for a gain.
        low: Lower end of its interval; None without an interval.
        high: Upper end; None without an interval.
        p_worse: One-sided p value of a loss.
        p_better: One-sided p value of a gain.
    """

    worsening: float
    low: float | None
    high: float | None
    p_worse: float
    p_better: float

    def mirrored(self) -> Evidence:
        """Return the evidence with gain and loss exchanged."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Evidence(-self.worsening, low, high, self.p_better, self.p_worse)


def compare_images(lost: int, gained: int, images: int, *, alpha: float) -> Evidence:
    """Return the evidence of an exact paired test (McNemar) of two models on the same images.

    Only the images on which they differ count: if nothing has changed, each is as likely lost as gained. The
    interval is the exact one (Clopper and Pearson) of the share of losses among them.

    Args:
        lost: Number of images that were right before and are wrong now.
        gained: Number of images that were wrong before and are right now.
        images: Number of all images.
        alpha: Tail probability of the interval on each side.

    Raises:
        ValueError: If more images differ than there are images.

    Source:
        McNemar, Psychometrika 12 (1947); Fay, exact McNemar's test and matching intervals (2010).
    """
    differing = lost + gained
    if differing > images:
        raise ValueError(f"expected at most {images} images that differ, found {differing}")
    if differing == 0:
        return Evidence(0.0, 0.0, 0.0, 1.0, 1.0)
    found = stats.binomtest(lost, differing)
    share = found.proportion_ci(confidence_level=1 - 2 * alpha, method="exact")
    low, high = ((2 * float(end) - 1) * differing / images for end in (share.low, share.high))
    return Evidence((lost - gained) / images, low, high, *mcnemar_one_sided(gained, lost))


def compare_resamples(worsening: float, resampled: Floats, *, alpha: float) -> Evidence:
    """Return the evidence of a paired bootstrap of two models on the same resampled images.

    Args:
        worsening: The loss over all images.
        resampled: The loss over each resample, NaN where it has none, shape ``(R,)``.
        alpha: Tail probability of the interval on each side.

    Raises:
        ValueError: If no resample has a number.

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval), and
        Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 4.2 (p values).
    """
    known = resampled[np.isfinite(resampled)]
    if not known.size:
        raise ValueError("expected numbers over resampled images, found none")
    low, high = (float(end) for end in np.quantile(known, [alpha, 1 - alpha]))
    below, above = int((known <= 0).sum()), int((known >= 0).sum())
    p_worse, p_better = ((1 + count) / (1 + known.size) for count in (below, above))
    return Evidence(worsening, low, high, p_worse, p_better)


def stretch_medians(values: Floats, most: int = STRETCHES) -> Floats:
    """Return the medians of consecutive stretches of samples, of nearly equal length.

    >>> stretch_medians(np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0]), most=2)
    array([ 2., 20.])
    """
    parts = np.array_split(values, min(most, len(values)))
    return np.array([np.median(part) for part in parts])


def compare_timings(before: Floats, after: Floats, *, alpha: float) -> Evidence | None:
    """Return the evidence of a Mann-Whitney test on two series of ratios (larger is slower).

    The worsening is relative: the Hodges-Lehmann estimate of the growth of the ratio, with the interval that
    matches the test.

    Args:
        before: Ratios in chronological order, shape ``(n,)``, all positive.
        after: Ratios in chronological order, shape ``(m,)``, all positive.
        alpha: Tail probability of the interval on each side.

    Returns:
        None if there are too few samples.

    Source:
        Hodges & Lehmann, Annals of Mathematical Statistics 34 (1963); Moses' interval.
    """
    if min(len(before), len(after)) < FEWEST_STRETCHES:
        return None
    first, second = (stretch_medians(np.log(values)) for values in (before, after))
    shift, low, high = hodges_lehmann(first, second, alpha=alpha)
    return Evidence(
        float(np.expm1(shift)),
        float(np.expm1(low)),
        float(np.expm1(high)),
        float(stats.mannwhitneyu(second, first, alternative="greater").pvalue),
        float(stats.mannwhitneyu(second, first, alternative="less").pvalue),
    )


def hodges_lehmann(before: Floats, after: Floats, *, alpha: float) -> tuple[float, float, float]:
    """Return the median of all differences `after` - `before`, with the ends of its interval.

    Args:
        before: Shape ``(n,)``.
        after: Shape ``(m,)``.
        alpha: Tail probability on each side; the ranks of the ends use the normal approximation.
    """
    differences = np.sort(np.subtract.outer(after, before).ravel())
    n, m = len(before), len(after)
    spread = np.sqrt(n * m * (n + m + 1) / 12)
    rank = int(np.floor(n * m / 2 + stats.norm.ppf(alpha) * spread))
    rank = min(max(rank, 1), len(differences))
    return float(np.median(differences)), float(differences[rank - 1]), float(differences[-rank])


def compare_seeds(
    before: Sequence[float], after: Sequence[float], spread: Spread, *, alpha: float
) -> Evidence:
    """Return the evidence of a t test on scores of retrained models.

    Scores vary from training to training, so the seeds are the samples, not the images.

    Args:
        before: Losses (larger is worse) of the baseline's seeds.
        after: Losses of the current seeds.
        spread: Spread between trainings.
        alpha: Tail probability of the interval on each side.
    """
    worsening = float(np.mean(after) - np.mean(before))
    error = spread.error(len(before), len(after))
    half = float(stats.t.ppf(1 - alpha, spread.freedom)) * error
    statistic = worsening / error
    return Evidence(
        worsening,
        worsening - half,
        worsening + half,
        float(stats.t.sf(statistic, spread.freedom)),
        float(stats.t.cdf(statistic, spread.freedom)),
    )


@dataclass(frozen=True)
class Spread:
    """Spread between trainings with the same settings.

    Attributes:
        deviation: Standard deviation of one training's score, above 0.
        freedom: Its degrees of freedom, at least 1.
    """

    deviation: float
    freedom: int

    def error(self, before: int, after: int) -> float:
        """Return the standard error of the difference of two means over `before` and `after` seeds."""
        return float(self.deviation * np.sqrt(1 / before + 1 / after))

    def power(self, effect: float, before: int, after: int, *, alpha: float, min_effect: float) -> float:
        """Return the probability that a true loss of `effect` is significant and at least `min_effect`."""
        error = self.error(before, after)
        needed = max(float(stats.t.ppf(1 - alpha, self.freedom)), min_effect / error)
        return float(stats.nct.sf(needed, self.freedom, effect / error))

    def detectable(self, seeds: int, *, alpha: float, min_effect: float, power: float) -> float:
        """Return the true loss that is detected with probability `power`, with `seeds` seeds on each side."""
        low, high = 0.0, min_effect + 100 * self.deviation
        for _ in range(50):
            middle = (low + high) / 2
            found = self.power(middle, seeds, seeds, alpha=alpha, min_effect=min_effect)
            low, high = (middle, high) if found < power else (low, middle)
        return high


def pool_spread(groups: Sequence[Sequence[float]]) -> Spread | None:
    """Return the spread within groups of trainings with equal settings, pooled over all groups.

    Returns:
        None if no group has two values, or all values within each group are equal.
    """
    rich = [np.asarray(group, dtype=np.float64) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in rich)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in rich)
    return Spread(float(np.sqrt(squares / freedom)), freedom) if squares > 0 else None
