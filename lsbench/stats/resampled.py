"""Differences of numbers that are no means over images, such as average precision: a paired bootstrap.

Both models are evaluated again on every choice of images. ``docs/statistics.md`` explains the intervals.

Shapes: I images, S seeds, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lsbench.stats.paired import TAIL, Difference, student

RESAMPLES = 1000
SEED = 20_140_501
"""Seed of the choices of images: equal inputs give equal intervals, and all comparisons share the choices."""

#: How often each image counts, shape ``(I,)`` -> the number over these images, NaN where it has none.
Evaluation = Callable[[NDArray[np.int64]], float]


def draw_images(images: int, resamples: int) -> NDArray[np.int64]:
    """Return how often each image is chosen in each resample, shape ``(R, I)``.

    >>> draw_images(3, 2).sum(axis=1).tolist()
    [3, 3]
    """
    rng = np.random.default_rng([SEED, images])
    return rng.multinomial(images, np.full(images, 1 / images), size=resamples)


def difference_of_evaluations(
    pairs: Sequence[tuple[Evaluation, Evaluation]], images: int, *, resamples: int = RESAMPLES
) -> Difference:
    """Return the difference of a number between two methods, with its uncertainty over images and seeds.

    Of one seed, the interval is the percentile interval of the bootstrap. Of several, seeds and images are
    crossed random effects, as in :func:`lsbench.stats.paired.over_seeds_and_images`: the parts of images and
    of residuals come from the spread of resampled differences, of each seed alone and of the mean of all.

    Args:
        pairs: For each shared seed, the evaluation of the first and of the second model.
        images: Number of images that they share.
        resamples: Number of resamples.

    Raises:
        ValueError: If there is no pair, or a number is unknown over all images.

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; ``docs/statistics.md``.
    """
    every = np.ones(images, dtype=np.int64)
    apart = np.array([first(every) - second(every) for first, second in pairs])
    drawn = [[first(w) - second(w) for w in draw_images(images, resamples)] for first, second in pairs]
    return difference_of_resamples(apart, np.array(drawn).reshape(len(pairs), resamples), images)


def difference_of_resamples(
    apart: NDArray[np.float64], resampled: NDArray[np.float64], images: int
) -> Difference:
    """Return the difference of a number between two methods from its differences over resampled images.

    The uncertainty is that of :func:`difference_of_evaluations`.

    Args:
        apart: For each shared seed, first minus second over all images, shape ``(S,)``.
        resampled: The same over each resample, NaN where one has no number, shape ``(S, R)``.
        images: Number of images.

    Raises:
        ValueError: If there is no seed, or a number is unknown over all images.
    """
    if not apart.size or not np.isfinite(apart).all():
        raise ValueError("expected numbers over all images, found none")
    drawn = resampled.T[np.isfinite(resampled).all(axis=0)]
    if len(apart) > 1:
        return _over_seeds_too(apart, drawn, images)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    error = float(drawn.std())
    return Difference(float(apart[0]), float(low), float(high), _p_value(drawn), error, np.inf, 1, images)


def _over_seeds_too(apart: NDArray[np.float64], drawn: NDArray[np.float64], images: int) -> Difference:
    """Return the mean difference with its uncertainty.

    Args:
        apart: Difference of each seed over all images, ``(S,)``.
        drawn: The same over resampled images, ``(R, S)``.
        images: Number of images.
    """
    value, seeds = float(apart.mean()), len(apart)
    of_images = float(drawn.mean(axis=1).var())
    rest = max(float(drawn.var(axis=0).mean()) - of_images, 0.0) / (seeds - 1)  # residuals in the mean
    of_seeds = float(apart.var(ddof=1)) / seeds or rest  # seeds that agree by chance
    if of_images == of_seeds == 0:
        return Difference(value, value, value, float(value == 0), 0.0, np.inf, seeds, images)
    if seeds > 2 or of_seeds == 0 or of_images == 0:
        variance = of_seeds + max(of_images - rest, 0.0)
        freedom = (seeds - 1) * variance / of_seeds if of_seeds > 0 else np.inf
        return student(value, float(np.sqrt(variance)), freedom, seeds, images)
    both = (
        student(value, float(np.sqrt(of_seeds)), seeds - 1, seeds, images),
        student(value, float(np.sqrt(of_images)), np.inf, seeds, images),
    )
    return max(both, key=lambda one: (one.high or 0) - (one.low or 0))


def _p_value(means: NDArray[np.float64]) -> float:
    """Return the two-sided p value of no difference, from the share of resamples on either side of zero."""
    below, above = int((means <= 0).sum()), int((means >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (len(means) + 1))
