"""The loops of training steps on a CPU for maps whose channels lie together, compiled on first use.

Every map is a table of R rows (pixels of all images) and C channels. Loops work on vectors of
channels; if C is no multiple of a vector, the last vector overlaps the one before it and computes the same
values again. Sums over rows are taken in float32 over short blocks and added up in float64, always in the
same order.

A *table of terms* describes any convolution by positions of one image: for t from ``starts[p]`` to
``starts[p + 1]`` it is ``out[p] = sum_t a[a_at[t]] * b[b_at[t]]``.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, call-arg, var-annotated"
# mypy: disable-error-code="attr-defined"
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, float32, int64, types, uint64
from numba.extending import intrinsic

from lsbench.core.loops import helper_compiler, loop_compiler
from lsbench.models.ops.simd import lanes, load, multiply_add, splat, store

U = np.uint64
ZERO, ONE, TWO, THREE, FOUR, BLOCK = U(0), U(1), U(2), U(3), U(4), U(64)
compiled = loop_compiler(fastmath={"contract", "nsz"})
helper = helper_compiler(fastmath={"contract", "nsz"})


@intrinsic
def kept_where_positive(_, value, test):
    """Return `value` where `test` is above zero or NaN, else 0."""

    def build(_context, builder, _signature, arguments):
        zero = ir.Constant(arguments[1].type, [0.0] * arguments[1].type.count)
        is_kept = builder.fcmp_unordered(">", arguments[1], zero)
        return builder.select(is_kept, arguments[0], zero)

    return value(value, test), build


@intrinsic
def _pointer(_, address, kind):
    """Return an address as a pointer to numbers of a kind."""

    def build(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(kind.dtype)(address, kind), build


@helper
def _floats(address, count):
    """Return the memory of `count` numbers in float32 as an array."""
    return carray(_pointer(address, float32), (count,))


@helper
def _sum_columns(x, means, totals, rows, channels, is_squared):
    """Write the sum of ``x - mean``, or of its square, over the rows of each channel."""
    step, part = lanes(x), np.empty(channels, np.float32)
    for k in range(ZERO, channels):
        totals[k] = 0
    for first in range(ZERO, rows, BLOCK):
        last = min(first + BLOCK, rows)
        fours = first + (last - first) // FOUR * FOUR
        for begin in range(ZERO, channels, step):
            i = min(begin, channels - step)
            a = b = c = d = splat(x, 0)
            one = splat(x, 1)
            minus = multiply_add(load(means, i), splat(x, -1), splat(x, 0))
            for r in range(first, fours, FOUR):
                place = r * channels + i
                e = multiply_add(load(x, place), one, minus)
                f = multiply_add(load(x, place + channels), one, minus)
                g = multiply_add(load(x, place + TWO * channels), one, minus)
                h = multiply_add(load(x, place + THREE * channels), one, minus)
                a = multiply_add(e, e if is_squared else one, a)
                b = multiply_add(f, f if is_squared else one, b)
                c = multiply_add(g, g if is_squared else one, c)
                d = multiply_add(h, h if is_squared else one, d)
            for r in range(fours, last):
                e = multiply_add(load(x, r * channels + i), one, minus)
                a = multiply_add(e, e if is_squared else one, a)
            store(part, i, multiply_add(multiply_add(a, one, b), one, multiply_add(c, one, d)))
        for k in range(ZERO, channels):
            totals[k] += part[k]


@helper
def _scale_and_shift(x, residual, y, scales, shifts, rows, channels, has_relu, has_residual):
    step = lanes(x)
    for r in range(ZERO, rows):
        for begin in range(ZERO, channels, step):
            i = min(begin, channels - step)
            place = r * channels + i
            value = multiply_add(load(x, place), load(scales, i), load(shifts, i))
            if has_residual:
                value = multiply_add(load(residual, place), splat(x, 1), value)
            if has_relu:
                value = kept_where_positive(value, value)
            store(y, place, value)


@compiled
def normalize(
    x, residual, y, weight, bias, mean, var, batches, saved, rows, channels, has_relu, eps, momentum
):
    """Write ``y = (x - mean) / std * weight + bias``, then ReLU or `residual` added; update what is running.

    All arrays are given by their address; that of no `residual` is 0. `batches` is one integer, `saved` gets
    mean, 1 / std, scale and shift, C numbers each.
    """
    has_residual, count = residual > 0, rows * channels
    x, residual, y = _floats(x, count), _floats(residual, count), _floats(y, count)
    weight, bias, saved = _floats(weight, channels), _floats(bias, channels), _floats(saved, FOUR * channels)
    mean, var = _floats(mean, channels), _floats(var, channels)
    means, inverses, scales, shifts = _quarters(saved, channels)
    totals = np.empty(channels, np.float64)
    for k in range(ZERO, channels):
        means[k] = 0
    _sum_columns(x, means, totals, rows, channels, False)
    for k in range(ZERO, channels):
        means[k] = totals[k] / rows
    _sum_columns(x, means, totals, rows, channels, True)
    for k in range(ZERO, channels):
        inverses[k] = 1 / np.sqrt(totals[k] / rows + eps)
        scales[k] = weight[k] * inverses[k]
        shifts[k] = bias[k] - means[k] * scales[k]
        mean[k] += (means[k] - mean[k]) * momentum
        var[k] += (totals[k] / max(rows - ONE, ONE) - var[k]) * momentum
    carray(_pointer(batches, int64), (1,))[0] += 1
    _scale_and_shift(x, residual, y, scales, shifts, rows, channels, has_relu, has_residual)


@helper
def _quarters(saved, channels):
    return (
        saved[:channels],
        saved[channels : TWO * channels],
        saved[TWO * channels : THREE * channels],
        saved[THREE * channels :],
    )


@helper
def _sum_gradients(grad, x, saved, sums, products, rows, channels, has_relu):
    """Write the sums of the gradient, and of its product with ``x - mean``, over the rows of each channel."""
    means, _, scales, shifts = _quarters(saved, channels)
    step, part, parts = lanes(x), np.empty(channels, np.float32), np.empty(channels, np.float32)
    for first in range(ZERO, rows, BLOCK):
        last = min(first + BLOCK, rows)
        twos = first + (last - first) // TWO * TWO
        for begin in range(ZERO, channels, step):
            i = min(begin, channels - step)
            a = b = c = d = splat(x, 0)
            one, scale, shift = splat(x, 1), load(scales, i), load(shifts, i)
            minus = multiply_add(load(means, i), splat(x, -1), splat(x, 0))
            for r in range(first, twos, TWO):
                place = r * channels + i
                u, v = load(x, place), load(x, place + channels)
                e, f = load(grad, place), load(grad, place + channels)
                if has_relu:
                    e = kept_where_positive(e, multiply_add(u, scale, shift))
                    f = kept_where_positive(f, multiply_add(v, scale, shift))
                a, b = multiply_add(e, one, a), multiply_add(f, one, b)
                c = multiply_add(e, multiply_add(u, one, minus), c)
                d = multiply_add(f, multiply_add(v, one, minus), d)
            for r in range(twos, last):
                u, e = load(x, r * channels + i), load(grad, r * channels + i)
                if has_relu:
                    e = kept_where_positive(e, multiply_add(u, scale, shift))
                a = multiply_add(e, one, a)
                c = multiply_add(e, multiply_add(u, one, minus), c)
            store(part, i, multiply_add(a, one, b))
            store(parts, i, multiply_add(c, one, d))
        for k in range(ZERO, channels):
            sums[k] += part[k]
            products[k] += parts[k]


@compiled
def normalize_backward(grad, x, saved, grad_x, grad_affine, rows, channels, has_relu):
    """Write the gradients of features, and of weight and bias together; arguments as in :func:`normalize`."""
    count = rows * channels
    grad, x, grad_x = _floats(grad, count), _floats(x, count), _floats(grad_x, count)
    saved, grad_affine = _floats(saved, FOUR * channels), _floats(grad_affine, TWO * channels)
    means, inverses, scales, shifts = _quarters(saved, channels)
    sums, products = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    slopes, levels = np.empty(channels, np.float32), np.empty(channels, np.float32)
    _sum_gradients(grad, x, saved, sums, products, rows, channels, has_relu)
    for k in range(ZERO, channels):
        grad_affine[k] = products[k] * inverses[k]
        grad_affine[channels + k] = sums[k]
        # grad_x = scale * grad + slope * (x - mean) + level
        slopes[k] = -scales[k] * inverses[k] * inverses[k] * (products[k] / rows)
        levels[k] = -scales[k] * (sums[k] / rows)
    step = lanes(x)
    for r in range(ZERO, rows):
        for begin in range(ZERO, channels, step):
            i = min(begin, channels - step)
            place = r * channels + i
            u, e, scale = load(x, place), load(grad, place), load(scales, i)
            if has_relu:
                e = kept_where_positive(e, multiply_add(u, scale, load(shifts, i)))
            centred = multiply_add(load(means, i), splat(x, -1), u)
            value = multiply_add(load(slopes, i), centred, load(levels, i))
            store(grad_x, place, multiply_add(scale, e, value))


@compiled
def add_terms(a, a_pitch, b, b_pitch, out, out_pitch, starts, a_at, b_at, positions, images, channels):
    """Add up a table of terms in each image, channel by channel, where `channels` is a multiple of a vector.

    ``out[n * out_pitch + p * C + c] += sum_t a[n * a_pitch + a_at[t] + c] * b[n * b_pitch + b_at[t] + c]``;
    a pitch of zero takes the same part of an array for all images. All arrays are given by their address; the
    table is three of them, of `positions` positions.
    """
    starts = carray(_pointer(starts, uint64), (positions + ONE,))
    a_at = carray(_pointer(a_at, uint64), (starts[positions],))
    b_at = carray(_pointer(b_at, uint64), (starts[positions],))
    a, b, out = _floats(a, ONE), _floats(b, ONE), _floats(out, ONE)
    step = lanes(a)
    for n in range(ZERO, images):
        a0, b0, out0 = n * a_pitch, n * b_pitch, n * out_pitch
        for p in range(ZERO, positions):
            first, last = starts[p], starts[p + ONE]
            fours = first + (last - first) // FOUR * FOUR
            for i in range(ZERO, channels, step):
                place, ai, bi = out0 + p * channels + i, a0 + i, b0 + i
                s = load(out, place)
                t = u = v = splat(a, 0)
                for k in range(first, fours, FOUR):
                    s = multiply_add(load(a, ai + a_at[k]), load(b, bi + b_at[k]), s)
                    t = multiply_add(load(a, ai + a_at[k + ONE]), load(b, bi + b_at[k + ONE]), t)
                    u = multiply_add(load(a, ai + a_at[k + TWO]), load(b, bi + b_at[k + TWO]), u)
                    v = multiply_add(load(a, ai + a_at[k + THREE]), load(b, bi + b_at[k + THREE]), v)
                for k in range(fours, last):
                    s = multiply_add(load(a, ai + a_at[k]), load(b, bi + b_at[k]), s)
                one = splat(a, 1)
                store(out, place, multiply_add(multiply_add(s, one, t), one, multiply_add(u, one, v)))


@compiled
def copy_patches(x, patches, places, per_image, images, pixels, channels):
    """Copy each output pixel's patch into a row; ``places[p * taps + k]`` is its pixel of x, or none.

    All arrays are given by their address; an image has `per_image` places.
    """
    places = carray(_pointer(places, uint64), (per_image,))
    x = _floats(x, images * pixels * channels)
    patches = _floats(patches, images * per_image * channels)
    for n in range(ZERO, images):
        for p in range(ZERO, per_image):
            target, source = (n * per_image + p) * channels, places[p]
            if source < pixels:
                source = (n * pixels + source) * channels
                for c in range(ZERO, channels):
                    patches[target + c] = x[source + c]
            else:
                for c in range(ZERO, channels):
                    patches[target + c] = 0


@compiled
def add_patches(patches, x, places, per_image, images, pixels, channels):
    """Add each output pixel's patch to the pixels of x that it was copied from; x is overwritten."""
    places = carray(_pointer(places, uint64), (per_image,))
    x = _floats(x, images * pixels * channels)
    patches = _floats(patches, images * per_image * channels)
    for n in range(ZERO, images):
        start = n * pixels * channels
        for i in range(start, start + pixels * channels):
            x[i] = 0
        for p in range(ZERO, per_image):
            source, target = (n * per_image + p) * channels, places[p]
            if target < pixels:
                target = start + target * channels
                for c in range(ZERO, channels):
                    x[target + c] += patches[source + c]
