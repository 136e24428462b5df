"""numpy's legacy random stream inside compiled loops: the same words, draws and state afterwards.

The draws of `numpy.random.RandomState` are frozen by numpy's compatibility promise (NEP 19), so they can be
reproduced: MT19937, doubles of 53 bits from two words, normals by the polar method (the second of each pair
    is kept for the next call) and integers by masking and rejecting. A corruption gets the generator's own
    memory and draws from it in its loops; the generator continues where they stopped:

    words = stream_of(rng)
    fill_doubles(words, out)         # what rng.random_sample(len(out)) would have drawn

No loop draws a word too many: missing numbers are drawn at once as if none would be rejected, until none is
missing. Logarithms are the C library's, as in numpy's own scalar code.

Source: Matsumoto & Nishimura, ACM TOMACS 8(1), 1998 (MT19937).
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
# mypy: disable-error-code="assignment, operator, arg-type"
from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.core.loops import helper_compiler, loop_compiler

#: No fast mathematics anywhere: another order of a sum, or a fused multiply-add, gives another pixel.
compiled = loop_compiler()
helper = helper_compiler()
#: For functions called once per number: a call passes every field of every array.
inlined = helper_compiler(forceinline=True)

U32, U64 = np.uint32, np.uint64
SIZE, SHIFT = 624, 397
SPLIT = SIZE - SHIFT
HIGHEST, LOWER, TWIST = U32(0x80000000), U32(0x7FFFFFFF), U32(0x9908B0DF)
#: Numbers drawn through a buffer at a time; it stays in the first-level cache.
CHUNK = 1024


def stream_of(rng: RandomState) -> NDArray[np.uint32]:
    """Return the memory in which `rng` keeps its words: 624 of them, and the number already drawn.

    Writing there advances `rng`. The normal that `rng` may keep lies elsewhere: :func:`leading_normals`.

    Raises:
        ValueError: If `rng` draws from another bit generator than MT19937.
        RuntimeError: If this numpy stores the words in another way.
    """
    generator = rng._bit_generator
    if not isinstance(generator, np.random.MT19937):
        raise ValueError(
            f"rng must be a RandomState over MT19937, as RandomState(seed) is; found one over "
            f"{type(generator).__name__}"
        )
    if not _layout_is_known():
        raise RuntimeError(f"numpy {np.__version__} stores the state of MT19937 in an unknown way")
    return _memory_of(generator)


def _memory_of(generator: np.random.BitGenerator) -> NDArray[np.uint32]:
    memory: Any = (ctypes.c_uint32 * (SIZE + 1)).from_address(generator.ctypes.state_address)
    # The array keeps `memory` alive, which keeps its owner alive.
    memory.owner = generator
    return np.ctypeslib.as_array(memory)


@cache
def _layout_is_known() -> bool:
    """Compare the content of the memory with numpy's state of a generator that has drawn some words."""
    rng = RandomState(0)
    rng.bytes(40)
    state = rng.get_state(legacy=False)["state"]
    return np.array_equal(_memory_of(rng._bit_generator), [*state["key"], state["pos"]])


def leading_normals(rng: RandomState, words: NDArray[np.uint32], count: int) -> NDArray[np.float64]:
    """Draw the first one or two of `count` normals, so that `rng` keeps none unless it was the last.

    The others come in pairs from :func:`fill_points`; of an odd number `rng` draws the last itself.
    """
    leading = []
    if count:
        place = words[SIZE]
        leading.append(rng.standard_normal())
        # Nothing was drawn: the normal had been kept. Else the second of the pair is kept now.
        if count > 1 and words[SIZE] != place:
            leading.append(rng.standard_normal())
    return np.array(leading, np.float64)


def normals(rng: RandomState, count: int) -> NDArray[np.float64]:
    """Return ``rng.standard_normal(count)``, faster."""
    words = stream_of(rng)
    drawn = np.empty(count)
    leading = leading_normals(rng, words, count)
    drawn[: len(leading)] = leading
    pairs = (count - len(leading)) // 2
    end = len(leading) + 2 * pairs
    fill_pairs(words, drawn[len(leading) : end])
    if end < count:
        drawn[end] = rng.standard_normal()
    return drawn


@helper
def _twisted(high, low, other):
    y = U32(U32(high & HIGHEST) | U32(low & LOWER))
    return U32(U32(other ^ U32(y >> U32(1))) ^ U32(U32(U32(0) - U32(y & U32(1))) & TWIST))


@helper
def _tempered(y):
    y ^= U32(y >> U32(11))
    y ^= U32(U32(y << U32(7)) & U32(0x9D2C5680))
    y ^= U32(U32(y << U32(15)) & U32(0xEFC60000))
    return U32(y ^ U32(y >> U32(18)))


@helper
def _refill(words):
    """Make the next 624 words; none of them is drawn yet."""
    # Unsigned indices: numba would test signed ones for being negative, which prevents vectorisation by LLVM.
    for i in range(U64(0), U64(SPLIT)):
        words[i] = _twisted(words[i], words[i + U64(1)], words[i + U64(SHIFT)])
    for i in range(U64(SPLIT), U64(SIZE - 1)):
        words[i] = _twisted(words[i], words[i + U64(1)], words[i - U64(SPLIT)])
    words[SIZE - 1] = _twisted(words[SIZE - 1], words[0], words[SHIFT - 1])
    words[SIZE] = 0


@compiled
def fill_words(words, out):
    """Fill the flat `out` (uint32) with words of 32 random bits."""
    done, count = 0, len(out)
    while done < count:
        if words[SIZE] >= SIZE:
            _refill(words)
        place = np.int64(words[SIZE])
        step = min(SIZE - place, count - done)
        for i in range(U64(0), U64(step)):
            out[U64(done) + i] = _tempered(words[U64(place) + i])
        words[SIZE] = place + step
        done += step


@helper
def to_double(first, second):
    """Return the double in [0, 1) for two words."""
    # As signed numbers of 27 and 26 bits, which processors convert faster than unsigned ones.
    high, low = np.int32(first >> U32(5)), np.int32(second >> U32(6))
    # Dividing by a power of two and multiplying by its inverse are the same.
    return (np.float64(high) * 67108864.0 + np.float64(low)) * (1.0 / 9007199254740992.0)


@compiled
def fill_doubles(words, out):
    """Fill the flat `out` (float64) as ``random_sample(len(out))`` does."""
    drawn = np.empty(2 * min(CHUNK, len(out)), np.uint32)
    for start in range(0, len(out), CHUNK):
        part = out[start : start + CHUNK]
        fill_words(words, drawn[: 2 * len(part)])
        for i in range(U64(0), U64(len(part))):
            part[i] = to_double(drawn[U64(2) * i], drawn[U64(2) * i + U64(1)])


@compiled
def fill_points(words, x, y, squares):
    """Draw points of the polar method to fill `x`: uniform in the unit circle without its centre.

    Args:
        words: The stream.
        x: First coordinates, float64.
        y: Second coordinates, which make the first normal of a pair.
        squares: Their squared distances from the centre, in (0, 1).
    """
    size = min(CHUNK, len(x))
    drawn, tried = np.empty(4 * size, np.uint32), np.empty((3, size))
    done = 0
    while done < len(x):
        attempts = min(size, len(x) - done)
        fill_words(words, drawn[: 4 * attempts])
        for i in range(U64(0), U64(attempts)):
            u = 2.0 * to_double(drawn[U64(4) * i], drawn[U64(4) * i + U64(1)]) - 1.0
            v = 2.0 * to_double(drawn[U64(4) * i + U64(2)], drawn[U64(4) * i + U64(3)]) - 1.0
            tried[0, i], tried[1, i], tried[2, i] = u, v, u * u + v * v
        for i in range(U64(0), U64(attempts)):
            # A rejected point is overwritten by the next: cheaper than an unpredictable branch.
            x[done], y[done], squares[done] = tried[0, i], tried[1, i], tried[2, i]
            done += (tried[2, i] < 1.0) & (tried[2, i] > 0.0)


@compiled
def polar_scale(square):
    """Return the factor that turns the coordinates of a point into two normals."""
    return math.sqrt(-2.0 * math.log(square) / square)


@compiled
def fill_pairs(words, out):
    """Fill the flat `out`, of even length, with normals; the generator keeps none before and after."""
    x, y, squares = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    for start in range(0, len(out), 2 * CHUNK):
        part = out[start : start + 2 * CHUNK]
        points = len(part) // 2
        fill_points(words, x[:points], y[:points], squares[:points])
        for i in range(U64(0), U64(points)):
            scale = polar_scale(squares[i])
            part[U64(2) * i], part[U64(2) * i + U64(1)] = scale * y[i], scale * x[i]


@compiled
def fill_below(words, bound, out):
    """Fill the flat `out` (int64) as ``randint(bound, size=len(out))`` does; `bound` below 2**32."""
    most, mask = U32(bound - 1), U32(bound - 1)
    # randint(1) draws nothing.
    if most == 0:
        out[:] = 0
        return
    for shift in (1, 2, 4, 8, 16):
        mask |= U32(mask >> U32(shift))
    drawn = np.empty(min(CHUNK, len(out)), np.uint32)
    done = 0
    while done < len(out):
        attempts = min(CHUNK, len(out) - done)
        fill_words(words, drawn[:attempts])
        for i in range(U64(0), U64(attempts)):
            number = U32(drawn[i] & mask)
            out[done] = number
            done += number <= most
