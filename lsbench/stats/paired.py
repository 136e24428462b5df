"""Differences of two models on the same images: exact tests, and intervals over seeds and images.

S: seeds, N: images. ``docs/statistics.md`` explains the choice of each interval. scipy and statsmodels do the
computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lsbench.core.ids import content_hash
from lsbench.stats.seeds import LEVEL, mean_over_seeds

RESAMPLES = 10_000
TAIL = (1 - LEVEL) / 2

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
#: 1 where only the first model was right, -1 where only the second was, else 0; shape ``(S, N)``.
PerImage = NDArray[np.int8]


@dataclass(frozen=True)
class Difference:
    """A difference of two models with its uncertainty, where that is known.

    Attributes:
        value: First minus second, averaged over seeds and images.
        low: Lower end of the 95 % interval; None if unknown.
        high: Upper end; None if unknown.
        p_value: Two-sided p value; None if unknown.
        error: Standard error; None if unknown.
        freedom: Degrees of freedom of `error`; infinite if it comes from images only.
        seeds: Number of shared seeds.
        images: Number of shared images; 0 if only seeds are compared.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    error: float | None
    freedom: float
    seeds: int
    images: int


def count_discordant(right: Bools, other: Bools) -> tuple[int, int]:
    """Return the number of images that only the first model got right, and that only the second did.

    >>> count_discordant(np.array([True, True, False]), np.array([True, False, False]))
    (1, 0)

    Args:
        right: True where the first model is correct, any shape.
        other: True where the second model is correct, same shape.
    """
    return int(np.sum(right & ~other)), int(np.sum(~right & other))


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p value of the exact McNemar test.

    >>> mcnemar(5, 0), mcnemar(0, 0)
    (0.0625, 1.0)

    Args:
        gained: Number of images that only the first model got right.
        lost: Number of images that only the second model got right.

    Source:
        McNemar, Psychometrika 12 (1947), with binomial probabilities; statsmodels.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    return 1.0 if gained == lost else float(test([[0, gained], [lost, 0]], exact=True).pvalue)


def mcnemar_one_sided(gained: int, lost: int) -> tuple[float, float]:
    """Return the one-sided p values of the exact McNemar test, of a loss and of a gain.

    Args:
        gained: Number of images that only the first model got right.
        lost: Number of images that only the second model got right.
    """
    if gained == lost == 0:
        return 1.0, 1.0
    from scipy import stats  # takes a second to import

    differing = gained + lost
    return (
        float(stats.binomtest(lost, differing, alternative="greater").pvalue),
        float(stats.binomtest(lost, differing, alternative="less").pvalue),
    )


def holm(p_values: list[float]) -> list[float]:
    """Return p values adjusted by Holm's step-down procedure, in the same order.

    >>> holm([0.01, 0.04, 0.03]), holm([])
    ([0.03, 0.06, 0.06], [])

    Source:
        Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    ascending = np.argsort(p_values)
    stepped = np.asarray(p_values)[ascending] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[ascending] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted.tolist()


def over_images(per_image: NDArray[np.int8]) -> Difference:
    """Return the difference of two trained models, with its uncertainty over images.

    The p value comes from the exact McNemar test, the interval from a paired bootstrap. The bootstrap adds
    one image in favour of either side, so that few or no differing images do not pass for certainty.

    Args:
        per_image: Shape ``(N,)``.

    Source:
        Bonett & Price, Adjusted Wald confidence interval for a difference of binomial proportions based on
        paired data, 2012 (the images added).
    """
    gained, lost = int(np.sum(per_image > 0)), int(np.sum(per_image < 0))
    widened = np.append(per_image, np.array([1, -1], dtype=np.int8))
    means = paired_bootstrap(widened[None])
    low, high = np.quantile(means, [TAIL, 1 - TAIL])
    error = float(widened.std() / np.sqrt(len(widened)))
    value = float(per_image.mean())
    p_value = mcnemar(gained, lost)
    return Difference(value, float(low), float(high), p_value, error, np.inf, 1, len(per_image))


def paired_bootstrap(per_image: PerImage, *, resamples: int = RESAMPLES) -> Floats:
    """Return the means of resampled differences, shape ``(resamples,)``; equal inputs give equal means.

    Seeds are resampled, and images once for all of them, since all seeds share the images. With few seeds
    this yields no usable interval, because no mean leaves the range of the seeds' means.

    Args:
        per_image: Shape ``(S, N)``.
        resamples: Number of resamples.

    Source:
        Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007).
    """
    seeds, images = per_image.shape
    kinds, counts = np.unique(per_image.T, axis=0, return_counts=True)
    rng = np.random.default_rng(int(content_hash([kinds.tolist(), counts.tolist()]), 16))
    drawn = rng.multinomial(images, counts / images, size=resamples) @ kinds / images
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    means: Floats = (drawn * weights).sum(axis=1)
    return means


def over_seeds(values: Sequence[float]) -> Difference:
    """Return the mean of differences, one per seed, with its Student t interval.

    There is no interval for one seed, nor for several whose differences are equal and not zero.
    """
    found, count = mean_over_seeds(values), len(values)
    spread = float(np.std(values, ddof=1)) if count > 1 else 0.0
    if spread > 0:
        return student(found.value, spread / np.sqrt(count), count - 1, count, 0)
    if count > 1 and found.value == 0:
        return Difference(0.0, 0.0, 0.0, 1.0, 0.0, count - 1, count, 0)
    return Difference(found.value, None, None, None, None, count - 1, count, 0)


def over_seeds_and_images(per_image: PerImage) -> Difference:
    """Return the difference of two methods, with its uncertainty over seeds and images.

    Seeds and images are crossed random effects, so the variance of the mean is the variance of the seeds'
    means plus a term for the images. Its degrees of freedom are those of the seeds divided by their share of
    the variance. With two seeds that share cannot be estimated, so the wider of the seeds-only and the
    images-only interval is used.

    Args:
        per_image: Shape ``(S, N)``, at least two seeds and two images.

    Source:
        Cornfield & Tukey, Average values of mean squares in factorials, 1956; ``docs/statistics.md``.
    """
    seeds, images = per_image.shape
    value = float(per_image.mean(dtype=np.float64))
    of_seeds, of_images, rest = mean_squares(per_image)
    if of_images == 0:
        return Difference(value, value, value, float(value == 0), 0.0, np.inf, seeds, images)
    of_seeds = of_seeds or rest  # seeds that agree by chance
    added = max(of_images - rest, 0.0)
    count = seeds * images
    if seeds > 2:
        variance = of_seeds + added
        freedom = (seeds - 1) * variance / of_seeds if of_seeds > 0 else np.inf
        return student(value, np.sqrt(variance / count), freedom, seeds, images)
    apart = student(value, np.sqrt(of_seeds / count), seeds - 1, seeds, images)
    alike = student(value, np.sqrt(of_images / count), np.inf, seeds, images)
    return max(apart, alike, key=lambda one: (one.high or 0) - (one.low or 0))


def mean_squares(per_image: PerImage) -> tuple[float, float, float]:
    """Return the mean squares of seeds, images and residuals of a two-way table.

    Args:
        per_image: Shape ``(S, N)``, at least two seeds and two images.
    """
    seeds, images = per_image.shape
    of_seeds = images * float(np.var(per_image.mean(axis=1), ddof=1))
    of_images = seeds * float(np.var(per_image.mean(axis=0), ddof=1))
    total = float(np.var(per_image, dtype=np.float64)) * seeds * images
    left = total - of_seeds * (seeds - 1) - of_images * (images - 1)
    return of_seeds, of_images, max(left, 0.0) / ((seeds - 1) * (images - 1))


def student(value: float, error: float, freedom: float, seeds: int, images: int) -> Difference:
    """Return a difference with its Student t interval and p value.

    Args:
        value: The difference.
        error: Its standard error, above 0.
        freedom: Degrees of freedom of `error`; may be infinite.
        seeds: Number of shared seeds.
        images: Number of shared images.
    """
    half = float(special.stdtrit(freedom, 1 - TAIL)) * float(error)
    p_value = 2 * float(special.stdtr(freedom, -abs(value) / error))
    return Difference(value, value - half, value + half, p_value, float(error), float(freedom), seeds, images)
