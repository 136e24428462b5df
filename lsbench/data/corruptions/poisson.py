"""Poisson numbers for the 256 grey values, drawn as numpy's legacy generator draws them.

Means below 10 by multiplying uniform numbers until the product falls to ``exp(-mean)``; from 10 on by transformed
rejection (PTRS): a number is proposed from two uniform ones, accepted at once in most cases, else compared with
the logarithm of its probability. Everything that depends on the mean alone is worked out once per grey value.

Sources: Knuth, TAOCP vol. 2, 3.4.1; Hörmann, Insurance: Mathematics and Economics 12, 1993 (PTRS); Zhang & Jin,
Computation of Special Functions, 1996 (log of the gamma function).
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, assignment"
from __future__ import annotations

import math

import numpy as np

from lsbench.data.corruptions.random_stream import CHUNK, compiled, fill_doubles

#: The mean from which on numbers are drawn by rejection.
LARGE = 10.0
#: Stirling's series for the logarithm of the gamma function, highest power first, as numpy has it.
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
#: Numbers whose logarithm of the factorial is tabulated; means up to 60 hardly ever draw a larger one.
TABLED = 256


@compiled
def log_gamma(x):
    """Return the logarithm of the gamma function of the whole number `x` > 0, with numpy's rounding."""
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
def poisson_constants(means):
    """Return what depends on the mean alone, one row per mean.

    Below 10: ``exp(-mean)``. From 10 on: Hörmann's a, b, vr, the logarithms of the mean and of 1/alpha.
    """
    rows = np.zeros((len(means), 5))
    for i in range(len(means)):
        mean = means[i]
        if mean < LARGE:
            rows[i, 0] = math.exp(-mean)
        else:
            b = 0.931 + 2.53 * math.sqrt(mean)
            rows[i, 0] = -0.059 + 0.02483 * b
            rows[i, 1] = b
            rows[i, 2] = 0.9277 - 3.6224 / (b - 2.0)
            rows[i, 3] = math.log(mean)
            rows[i, 4] = math.log(1.1239 + 1.1328 / (b - 3.4))
    return rows


@compiled
def fill_poisson(words, greys, means, constants, shown, out):
    """Draw ``poisson(means[grey])`` for each of `greys`, in order, and write what stands for it.

    Args:
        words: The stream.
        greys: Flat uint8.
        means: Mean per grey value, float64 (256,), not negative; :data:`STIRLING` limits nothing.
        constants: :func:`poisson_constants` of `means`.
        shown: What is written for each number drawn, uint8; for larger ones its last.
        out: Flat uint8, as long as `greys`.
    """
    # Whoever has a mean needs at least one double more: that many can be drawn without drawing one too many.
    left = 0
    for grey in greys:
        left += means[grey] > 0.0
    log_factorials = np.array([log_gamma(k + 1.0) for k in range(TABLED)])
    doubles = np.empty(CHUNK)
    at = count = 0
    for i in range(len(greys)):
        mean, number = means[greys[i]], 0
        if mean <= 0.0:
            out[i] = shown[0]
            continue
        row = constants[greys[i]]
        if mean < LARGE:
            product = 1.0
            while True:
                if at == count:
                    at, count = 0, min(CHUNK, left)
                    fill_doubles(words, doubles[:count])
                product *= doubles[at]
                at += 1
                if product <= row[0]:
                    break
                number += 1
        else:
            a, b = row[0], row[1]
            while True:
                if at == count:
                    at, count = 0, min(CHUNK, left)
                    fill_doubles(words, doubles[:count])
                u = doubles[at] - 0.5
                at += 1
                if at == count:
                    at, count = 0, min(CHUNK, left)
                    fill_doubles(words, doubles[:count])
                v = doubles[at]
                at += 1
                rest = 0.5 - abs(u)
                number = int(math.floor((2.0 * a / rest + b) * u + mean + 0.43))
                if rest >= 0.07 and v <= row[2]:
                    break
                if number < 0 or (rest < 0.013 and v > rest):
                    continue
                log_factorial = log_factorials[number] if number < TABLED else log_gamma(number + 1.0)
                proposed = math.log(v) + row[4] - math.log(a / (rest * rest) + b)
                if proposed <= -mean + number * row[3] - log_factorial:
                    break
        left -= 1
        out[i] = shown[min(number, len(shown) - 1)]
