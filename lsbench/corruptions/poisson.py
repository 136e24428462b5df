"""Poisson numbers for the 256 grey values, drawn as numpy's legacy generator draws them.

Means below 10 by multiplying uniform numbers until the product falls to ``exp(-mean)``; from 10 on by
transformed rejection (PTRS): a number is proposed from two uniform ones, accepted at once in most cases, else
compared with the logarithm of its probability. Everything that depends only on the mean is computed once per
grey value.

Sources: Knuth, TAOCP vol. 2, 3.4.1; Hörmann, Insurance: Mathematics and Economics 12, 1993 (PTRS); Zhang &
Jin, Computation of Special Functions, 1996 (log of the gamma function).
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, assignment"
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsbench.corruptions.random_stream import CHUNK, compiled, fill_doubles, helper, inlined

#: The mean from which on numbers are drawn by rejection.
LARGE = 10.0
#: Stirling's series for the logarithm of the gamma function, highest power first, as in numpy.
STIRLING = (
    -1.392432216905900e00,
    1.796443723688307e-01,
    -2.955065359477124e-02,
    6.410256410256410e-03,
    -1.917526917526918e-03,
    8.417508417508418e-04,
    -5.952380952380952e-04,
    7.936507936507937e-04,
    -2.777777777777778e-03,
    8.333333333333333e-02,
)
#: Numbers below this one are decided by a table; means up to 60 hardly ever draw a larger one.
TABLED = 128
#: Least difference of the two sides of a test for the table, which holds float32, to decide it.
SURE = 1e-5


class Means(NamedTuple):
    """Values that depend only on the mean, one row per grey value.

    Attributes:
        values: The means, float64 ``(256,)``, none negative.
        constants: float64 ``(256, 6)``. Below a mean of 10: ``exp(-mean)``. From 10 on: a, b, vr and
            1/alpha, the logarithms of the mean and of 1/alpha.
        chances: ``exp(-mean) * mean**k / k!``, float32 ``(256, 128)``; only from a mean of 10 on.
    """

    values: NDArray[np.float64]
    constants: NDArray[np.float64]
    chances: NDArray[np.float32]


@lru_cache(maxsize=8)
def means_of_greys(white: float) -> Means:
    """Return the means for a picture in which white is `white` photons."""
    means = Means(np.arange(256) / 255.0 * white, np.zeros((256, 6)), np.zeros((256, TABLED), np.float32))
    _work_out(means)
    return means


@compiled
def log_gamma(x):
    """Return the logarithm of the gamma function of the integer `x` > 0, with numpy's rounding."""
    if x in (1.0, 2.0):
        return 0.0
    steps = int(7.0 - x) if x < 7.0 else 0
    shifted = x + steps
    inverse = (1.0 / shifted) * (1.0 / shifted)
    series = STIRLING[0]
    for coefficient in STIRLING[1:]:
        series = series * inverse + coefficient
    value = series / shifted + 0.5 * 1.8378770664093453 + (shifted - 0.5) * math.log(shifted) - shifted
    for _ in range(steps):
        value -= math.log(shifted - 1.0)
        shifted -= 1.0
    return value


@compiled
def _work_out(means):
    log_factorials = np.array([log_gamma(k + 1.0) for k in range(TABLED)])
    for i in range(len(means.values)):
        mean, row = means.values[i], means.constants[i]
        if mean < LARGE:
            row[0] = math.exp(-mean)
            continue
        row[1] = 0.931 + 2.53 * math.sqrt(mean)
        row[0] = -0.059 + 0.02483 * row[1]
        row[2] = 0.9277 - 3.6224 / (row[1] - 2.0)
        row[3] = 1.1239 + 1.1328 / (row[1] - 3.4)
        row[4], row[5] = math.log(mean), math.log(row[3])
        for k in range(TABLED):
            means.chances[i, k] = math.exp(k * row[4] - mean - log_factorials[k])


@compiled
def fill_poisson(words, greys, means, shown, out):
    """Draw a Poisson number for each of `greys`, in order, and write its byte.

    Args:
        words: The stream.
        greys: Flat uint8.
        means: :class:`Means` of the grey values.
        shown: Byte of each number, uint8; numbers beyond its end get its last.
        out: Flat uint8, as long as `greys`.
    """
    missing = 0
    for grey in greys:
        missing += means.values[grey] > 0.0
    # One chunk, after the few unused doubles of the chunk before.
    doubles, kept, done = np.empty(2 * CHUNK), 0, 0
    while done < len(greys):
        # Every missing number needs at least one more double, so none too many is drawn.
        count = kept + min(CHUNK, missing)
        fill_doubles(words, doubles[kept:count])
        done, finished, used = _use(doubles, count, greys, done, means, shown, out)
        missing -= finished
        kept = count - used
        for i in range(kept):
            doubles[i] = doubles[used + i]


@helper
def _use(doubles, count, greys, start, means, shown, out):
    """Make numbers of `doubles` while they suffice; return next place, count, and doubles used."""
    values, constants, last = means.values, means.constants, len(shown) - 1
    finished = at = 0
    for i in range(start, len(greys)):
        grey, number, used = greys[i], 0, 0
        if values[grey] >= LARGE:
            number, used = _large(doubles, at, count, means, grey)
        elif values[grey] > 0.0:
            number, used = _small(doubles, at, count, constants[grey, 0])
        if number < 0:
            return i, finished, at
        at += used
        finished += used > 0
        out[i] = shown[min(number, last)]
    return len(greys), finished, at


@inlined
def _small(doubles, start, count, limit):
    """Return a number for a mean below 10 and the count of doubles used; -1 if there are too few."""
    product = 1.0
    for at in range(start, count):
        product *= doubles[at]
        if product <= limit:
            return at - start, at - start + 1
    return -1, 0


@inlined
def _large(doubles, start, count, means, grey):
    """Return a number for a mean from 10 on and the count of doubles used; -1 if there are too few."""
    row, mean = means.constants, means.values[grey]
    a, b, quick, alpha = row[grey, 0], row[grey, 1], row[grey, 2], row[grey, 3]
    for at in range(start, count - 1, 2):
        u, v = doubles[at] - 0.5, doubles[at + 1]
        rest = 0.5 - abs(u)
        hat = a / rest
        number = math.floor((2.0 * hat + b) * u + mean + 0.43)
        # All tests at once, without a branch: half of all numbers pass the first, which is unpredictable.
        possible = (number >= 0) & ((rest >= 0.013) | (v <= rest))
        tested, bound = v * alpha, (hat / rest + b) * means.chances[grey, min(max(number, 0), TABLED - 1)]
        at_once = (rest >= 0.07) & (v <= quick)
        if at_once | (possible & (tested < bound * (1.0 - SURE)) & (number < TABLED)):
            return number, at - start + 2
        in_doubt = (tested <= bound * (1.0 + SURE)) | (number >= TABLED)
        if possible & in_doubt and _is_accepted(v, rest, number, mean, row[grey]):
            return number, at - start + 2
    return -1, 0


@helper
def _is_accepted(v, rest, number, mean, row):
    """Return the result of numpy's own test."""
    proposed = math.log(v) + row[5] - math.log(row[0] / (rest * rest) + row[1])
    return proposed <= -mean + number * row[4] - log_gamma(number + 1.0)
