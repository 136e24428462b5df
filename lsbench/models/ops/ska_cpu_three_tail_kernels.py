"""The loops of SKA's fused tail on a CPU for kernels of 3 x 3: norms, aggregation and residual in registers.

A vector of each of the nine weights is read, normalised and used in registers, as in
:mod:`lsbench.models.ops.ska_cpu_three_kernels`; a sum is normalised, added to its feature and written where
it belongs. Numbers are rounded where :mod:`lsbench.models.ops.ska_cpu_kernels` rounds them, and sums are in
the same order, so the results are the same to the last bit: plane by plane (NCHW) norms are computed in
float64, pixel by pixel (NHWC) in the type of the sums.

Tensors are given by their addresses; `like` is an array of the dtype of features and weights, `kind` one of
the dtype of the norms' parameters.

Shapes: M channels share one weight, P = H * W pixels, D = 9 * G weight channels.
"""

# Numba infers the types, anew for each dtype.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, call-arg, var-annotated"
from __future__ import annotations

import numpy as np

from lsbench.core.loops import helper_compiler, loop_compiler
from lsbench.models.ops.simd import (
    kept,
    lanes,
    load,
    multiply_add,
    pointer,
    scaled,
    scaled_plus,
    splat,
    store,
    widens,
)
from lsbench.models.ops.ska_cpu_kernels import (
    average_groups,
    channel_affine,
    moments_of_rows,
    row_affine,
    widened,
)
from lsbench.models.ops.ska_cpu_three_kernels import (
    around,
    cleared,
    copy_planes,
    edges_of,
    fill_ring,
    load_nine,
    neighbours,
    ring,
    weighted_sum,
)

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE = (np.uint64(number) for number in range(10))
compiled = loop_compiler(fastmath={"contract", "nsz"})
helper = helper_compiler(fastmath={"contract", "nsz"})


@helper
def _channel_affines(norm_at, kind, eps, scale, shift):
    """Write the scale and shift of all channels for the batch norm."""
    norm = (
        pointer(norm_at[0], kind),
        pointer(norm_at[1], kind),
        pointer(norm_at[2], kind),
        pointer(norm_at[3], kind),
    )
    for channel in range(ZERO, np.uint64(len(scale))):
        scale[channel], shift[channel] = channel_affine(norm, channel, eps)


# --- plane by plane (NCHW): a unit is one image and one weight channel; a plane fills a vector at least ---


@helper
def _weight_at(weights, pixels, scale, shift, inside, k, p):
    """Return the weights k of the pixels from p on, normalised, 0 where the neighbour lies outside."""
    place = k * pixels + p
    return kept(scaled(load(weights, place), scale[k], shift[k]), inside, place)


@compiled
def tail_nchw(x_at, weight_at, y_at, affine_at, norm_at, like, kind, epsilons, inside, sizes, first, last):
    """Write the tail of the units `first` to `last`; arguments as in the loop for any kernel."""
    x, weight, y = pointer(x_at, like), pointer(weight_at, like), pointer(y_at, like)
    affine = pointer(affine_at[0], kind), pointer(affine_at[1], kind)
    height, width, groups, shared, _ = sizes
    pixels, step = height * width, lanes(inside)
    row, pitch = pixels + TWO * (width + ONE), groups * pixels
    planes, weights = np.zeros(shared * row, inside.dtype), np.empty(NINE * pixels, inside.dtype)
    w_scale, w_shift = np.empty(NINE), np.empty(NINE)
    scale, shift = np.empty(groups * shared), np.empty(groups * shared)
    _channel_affines(norm_at, kind, epsilons[1], scale, shift)
    for unit in range(first, last):
        group = unit % groups
        start = (unit // groups * shared * groups + group) * pixels
        copy_planes(x, start, pitch, planes, width + ONE, row, shared, pixels)
        copy_planes(weight, unit * NINE * pixels, pixels, weights, ZERO, pixels, NINE, pixels)
        mean, inverse = moments_of_rows(weights, ZERO, pixels, NINE, pixels, epsilons[0])
        for k in range(ZERO, NINE):
            w_scale[k], w_shift[k] = row_affine(affine, group * NINE + k, mean, inverse)
        for begin in range(ZERO, pixels, step):
            p = min(begin, pixels - step)
            w = (
                _weight_at(weights, pixels, w_scale, w_shift, inside, ZERO, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, ONE, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, TWO, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, THREE, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, FOUR, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, FIVE, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, SIX, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, SEVEN, p),
                _weight_at(weights, pixels, w_scale, w_shift, inside, EIGHT, p),
            )
            at = around(p, width)
            for m in range(ZERO, shared):
                channel, place = m * groups + group, m * row
                total = weighted_sum(w, planes, at, place)
                feature = load(planes, at[4] + place)
                result = scaled_plus(total, scale[channel], shift[channel], feature)
                store(y, start + m * pitch + p, result)


# --- pixel by pixel (NHWC): a unit is one image; a weight channel fills a vector at least ---


@helper
def _sum_columns(weight, start, pixels, depth, total):
    """Write the sum of each of an image's weight channels, in the order of the pixels."""
    step, one = lanes(total), splat(total, 1)
    for begin in range(ZERO, depth, FOUR * step):
        i = min(begin, depth - FOUR * step)
        a = b = c = d = splat(total, 0)
        for p in range(ZERO, pixels):
            place = start + p * depth + i
            a = multiply_add(load(weight, place), one, a)
            b = multiply_add(load(weight, place + step), one, b)
            c = multiply_add(load(weight, place + TWO * step), one, c)
            d = multiply_add(load(weight, place + THREE * step), one, d)
        store(total, i, a)
        store(total, i + step, b)
        store(total, i + TWO * step, c)
        store(total, i + THREE * step, d)


@helper
def _square(weight, place, mean, total):
    """Return ``total + (weight - mean)**2``."""
    distance = multiply_add(mean, splat(weight, -1), load(weight, place))
    return multiply_add(distance, distance, total)


@helper
def _sum_squares(weight, start, pixels, depth, mean, total):
    """Write the sum of squared distances from `mean`, as :func:`_sum_columns`."""
    step = lanes(total)
    for begin in range(ZERO, depth, FOUR * step):
        i = min(begin, depth - FOUR * step)
        a = b = c = d = splat(total, 0)
        i1, i2, i3 = i + step, i + TWO * step, i + THREE * step
        m0, m1, m2, m3 = load(mean, i), load(mean, i1), load(mean, i2), load(mean, i3)
        for p in range(ZERO, pixels):
            place = start + p * depth
            a = _square(weight, place + i, m0, a)
            b = _square(weight, place + i1, m1, b)
            c = _square(weight, place + i2, m2, c)
            d = _square(weight, place + i3, m3, d)
        store(total, i, a)
        store(total, i1, b)
        store(total, i2, c)
        store(total, i3, d)


@helper
def _group_affine(weight, start, pixels, groups, affine, eps, moments, scale, shift):
    """Write the scale and shift of one image's group norm, tap by tap; `moments` are arrays to work in."""
    mean, variance, depth = moments[0], moments[1], NINE * groups
    _sum_columns(weight, start, pixels, depth, mean)
    average_groups(mean, groups, NINE, NINE * pixels)
    _sum_squares(weight, start, pixels, depth, mean, variance)
    average_groups(variance, groups, NINE, NINE * pixels)
    for g in range(ZERO, groups):
        for k in range(ZERO, NINE):
            d, place = g * NINE + k, k * groups + g
            scale[place] = widened(affine[0][d]) / np.sqrt(variance[d] + eps)
            shift[place] = widened(affine[1][d]) - mean[d] * scale[place]


@helper
def _normalized(w, scale, shift, groups, g):
    """Return nine vectors of weights, scaled and shifted."""
    return (
        multiply_add(w[0], load(scale, g), load(shift, g)),
        multiply_add(w[1], load(scale, g + groups), load(shift, g + groups)),
        multiply_add(w[2], load(scale, g + TWO * groups), load(shift, g + TWO * groups)),
        multiply_add(w[3], load(scale, g + THREE * groups), load(shift, g + THREE * groups)),
        multiply_add(w[4], load(scale, g + FOUR * groups), load(shift, g + FOUR * groups)),
        multiply_add(w[5], load(scale, g + FIVE * groups), load(shift, g + FIVE * groups)),
        multiply_add(w[6], load(scale, g + SIX * groups), load(shift, g + SIX * groups)),
        multiply_add(w[7], load(scale, g + SEVEN * groups), load(shift, g + SEVEN * groups)),
        multiply_add(w[8], load(scale, g + EIGHT * groups), load(shift, g + EIGHT * groups)),
    )


@helper
def _finished_sums(w, x, at, first, pitch, y, y0, scale, shift, shared):
    """Write the normalised weighted sums plus features of a pixel, for the groups from `first` on."""
    one = splat(scale, 1)
    for m in range(ZERO, shared):
        channel = first + m * pitch
        total = weighted_sum(w, x, at, channel)
        total = multiply_add(total, load(scale, channel), load(shift, channel))
        store(y, y0 + channel, multiply_add(load(x, at[4] + channel), one, total))


@compiled
def tail_nhwc(
    x_at, weight_at, y_at, affine_at, norm_at, like, kind, epsilons, inside, sizes, w_strides, first, last
):
    """Write the tail of the images `first` to `last`; arguments as in :func:`tail_nchw`.

    `w_strides` is as in :func:`lsbench.models.ops.ska_cpu_kernels.forward_nhwc`.
    """
    x, weight, y = pointer(x_at, like), pointer(weight_at, like), pointer(y_at, like)
    affine = pointer(affine_at[0], kind), pointer(affine_at[1], kind)
    height, width, groups, shared, _ = sizes
    channels, depth, step, zero = groups * shared, NINE * groups, lanes(x), splat(x, 0)
    line = width * channels
    moments = np.empty(depth, inside.dtype), np.empty(depth, inside.dtype)
    w_scale, w_shift = np.empty(depth, inside.dtype), np.empty(depth, inside.dtype)
    scale, shift = np.empty(channels, inside.dtype), np.empty(channels, inside.dtype)
    _channel_affines(norm_at, kind, epsilons[1], scale, shift)
    copy = np.zeros(THREE * line if widens(x) else ZERO, inside.dtype)
    ready = ZERO
    for image in range(first, last):
        start = image * w_strides[0]
        _group_affine(weight, start, height * width, groups, affine, epsilons[0], moments, w_scale, w_shift)
        for row in range(ZERO, height):
            if widens(x):
                ready = fill_ring(x, image, row, width, height, channels, copy, ready)
            for column in range(ZERO, width):
                pixel = row * width + column
                place = (image * height * width + pixel) * channels
                edges = edges_of(row, column, height, width)
                for begin in range(ZERO, groups, step):
                    g = min(begin, groups - step)
                    w = load_nine(weight, start + pixel * depth + g * NINE, NINE)
                    w = cleared(_normalized(w, w_scale, w_shift, groups, g), zero, edges)
                    if widens(x):
                        at = ring(row, column, width, height, channels)
                        _finished_sums(w, copy, at, g, groups, y, place, scale, shift, shared)
                    else:
                        at = neighbours(place, line, channels, edges)
                        _finished_sums(w, x, at, g, groups, y, place, scale, shift, shared)
