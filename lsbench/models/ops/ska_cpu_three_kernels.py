"""The loops of SKA on a CPU for kernels of 3 x 3, which all LSNets use: the nine weights stay in registers.

The loops in :mod:`lsbench.models.ops.ska_cpu_kernels` take kernels of any size and so load each weight again
for every few channels. Here a vector of each of the nine weights is read where it lies, once for all M
channels that share it, and results are written where they belong. Sums are in the same order, so the numbers
are the same to the last bit.

If the channels of a pixel lie together (NHWC), so do the nine weights of a group; columns of a matrix of nine
are read from them four at a time, 0 to 3, 4 to 7 and 5 to 8. Such weights, whose taps are neighbours in
memory, are required. A row of bfloat16 is widened once, not each of the nine times that it is read.

Tensors are given by their addresses; `like` is an array of their dtype.

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
    load_columns,
    multiply_add,
    pointer,
    splat,
    store,
    store_columns,
    widens,
)

U = np.uint64
ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE = (U(number) for number in range(10))
compiled = loop_compiler(fastmath={"contract", "nsz"})
helper = helper_compiler(fastmath={"contract", "nsz"})


@helper
def weighted_sum(w, x, at, first):
    """Return the vector ``sum_k w[k] * x[at[k] + first]``."""
    a = multiply_add(w[0], load(x, at[0] + first), splat(x, 0))
    a = multiply_add(w[1], load(x, at[1] + first), a)
    a = multiply_add(w[2], load(x, at[2] + first), a)
    a = multiply_add(w[3], load(x, at[3] + first), a)
    a = multiply_add(w[4], load(x, at[4] + first), a)
    a = multiply_add(w[5], load(x, at[5] + first), a)
    a = multiply_add(w[6], load(x, at[6] + first), a)
    a = multiply_add(w[7], load(x, at[7] + first), a)
    return multiply_add(w[8], load(x, at[8] + first), a)


@helper
def _weighted_sums(w, x, at, first, x_pitch, y, y0, y_pitch, shared):
    """Write ``y[y0 + m*y_pitch] = sum_k w[k] * x[at[k] + first + m*x_pitch]`` for all m below `shared`."""
    for m in range(ZERO, shared):
        store(y, y0 + m * y_pitch, weighted_sum(w, x, at, first + m * x_pitch))


@helper
def _products(grad, g0, x, at, first, pitch, shared):
    """Return nine vectors, ``sum_m grad[g0 + first + m*pitch] * x[at[k] + first + m*pitch]``."""
    a = b = c = d = e = f = g = h = i = splat(x, 0)
    for m in range(ZERO, shared):
        x0 = first + m * pitch
        upstream = load(grad, g0 + x0)
        a = multiply_add(upstream, load(x, at[0] + x0), a)
        b = multiply_add(upstream, load(x, at[1] + x0), b)
        c = multiply_add(upstream, load(x, at[2] + x0), c)
        d = multiply_add(upstream, load(x, at[3] + x0), d)
        e = multiply_add(upstream, load(x, at[4] + x0), e)
        f = multiply_add(upstream, load(x, at[5] + x0), f)
        g = multiply_add(upstream, load(x, at[6] + x0), g)
        h = multiply_add(upstream, load(x, at[7] + x0), h)
        i = multiply_add(upstream, load(x, at[8] + x0), i)
    return a, b, c, d, e, f, g, h, i


# --- plane by plane (NCHW): a unit is one image and one weight channel; a plane fills a vector at least ---


@helper
def copy_planes(source, start, pitch, scratch, first, row, shared, pixels):
    """Copy planes that lie `pitch` apart to ``scratch[first + m*row]``, widened."""
    step = lanes(source)
    for m in range(ZERO, shared):
        for begin in range(ZERO, pixels, step):
            p = min(begin, pixels - step)
            store(scratch, first + m * row + p, load(source, start + m * pitch + p))


@helper
def around(p, width):
    """Return where the nine neighbours of pixel p are in a plane with `width` + 1 numbers before it."""
    below, far = p + width, p + TWO * width
    return (
        p, p + ONE, p + TWO,
        below, below + ONE, below + TWO,
        far, far + ONE, far + TWO,
    )  # fmt: skip


@helper
def _weights_at(weight, start, pixels, inside, p):
    """Return the nine weights of the pixels from p on, 0 where the neighbour lies outside."""
    return (
        kept(load(weight, start + p), inside, p),
        kept(load(weight, start + pixels + p), inside, pixels + p),
        kept(load(weight, start + TWO * pixels + p), inside, TWO * pixels + p),
        kept(load(weight, start + THREE * pixels + p), inside, THREE * pixels + p),
        kept(load(weight, start + FOUR * pixels + p), inside, FOUR * pixels + p),
        kept(load(weight, start + FIVE * pixels + p), inside, FIVE * pixels + p),
        kept(load(weight, start + SIX * pixels + p), inside, SIX * pixels + p),
        kept(load(weight, start + SEVEN * pixels + p), inside, SEVEN * pixels + p),
        kept(load(weight, start + EIGHT * pixels + p), inside, EIGHT * pixels + p),
    )


@helper
def _weights_to(weight, start, pixels, width, inside, p):
    """Return the nine weights by which others use the pixels from p on, 0 where there is no such pixel.

    Tap k of the pixel that lies opposite to it points to p. What is read beyond a plane of weights is one of
    its neighbours of the same unit.
    """
    above = start + p - width
    below = start + p + width
    here = start + p
    return (
        kept(load(weight, below + ONE), inside, EIGHT * pixels + p),
        kept(load(weight, pixels + below), inside, SEVEN * pixels + p),
        kept(load(weight, TWO * pixels + below - ONE), inside, SIX * pixels + p),
        kept(load(weight, THREE * pixels + here + ONE), inside, FIVE * pixels + p),
        kept(load(weight, FOUR * pixels + here), inside, FOUR * pixels + p),
        kept(load(weight, FIVE * pixels + here - ONE), inside, THREE * pixels + p),
        kept(load(weight, SIX * pixels + above + ONE), inside, TWO * pixels + p),
        kept(load(weight, SEVEN * pixels + above), inside, pixels + p),
        kept(load(weight, EIGHT * pixels + above - ONE), inside, p),
    )


@compiled
def forward_nchw(x_at, weight_at, y_at, like, inside, sizes, first, last):
    """Aggregate the units `first` to `last`, as :func:`lsbench.models.ops.ska_cpu_kernels.forward_nchw`."""
    x, weight, y = pointer(x_at, like), pointer(weight_at, like), pointer(y_at, like)
    height, width, groups, shared, _ = sizes
    pixels, step = height * width, lanes(inside)
    row, pitch = pixels + TWO * (width + ONE), groups * pixels
    planes = np.zeros(shared * row, inside.dtype)
    for unit in range(first, last):
        start, w_start = (unit // groups * shared * groups + unit % groups) * pixels, unit * NINE * pixels
        copy_planes(x, start, pitch, planes, width + ONE, row, shared, pixels)
        for begin in range(ZERO, pixels, step):
            p = min(begin, pixels - step)
            w = _weights_at(weight, w_start, pixels, inside, p)
            _weighted_sums(w, planes, around(p, width), ZERO, row, y, start + p, pitch, shared)


@compiled
def backward_nchw(grad_at, x_at, weight_at, grad_x_at, grad_weight_at, like, inside, sizes, first, last):
    """Write both gradients of the units `first` to `last`; arguments as in :func:`forward_nchw`."""
    grad, x, weight = pointer(grad_at, like), pointer(x_at, like), pointer(weight_at, like)
    grad_x, grad_weight = pointer(grad_x_at, like), pointer(grad_weight_at, like)
    height, width, groups, shared, _ = sizes
    pixels, step, pad = height * width, lanes(inside), width + ONE
    row, pitch = pixels + TWO * pad, groups * pixels
    planes = np.zeros(shared * row, inside.dtype)
    grads = np.zeros(shared * row, inside.dtype)
    for unit in range(first, last):
        start, w_start = (unit // groups * shared * groups + unit % groups) * pixels, unit * NINE * pixels
        copy_planes(x, start, pitch, planes, pad, row, shared, pixels)
        copy_planes(grad, start, pitch, grads, pad, row, shared, pixels)
        for begin in range(ZERO, pixels, step):
            p = min(begin, pixels - step)
            w = _weights_to(weight, w_start, pixels, width, inside, p)
            a, b, c, d, e, f, g, h, i = around(p, width)
            _weighted_sums(w, grads, (i, h, g, f, e, d, c, b, a), ZERO, row, grad_x, start + p, pitch, shared)
            sums = _products(grads, pad + p, planes, (a, b, c, d, e, f, g, h, i), ZERO, row, shared)
            at = w_start + p
            store(grad_weight, at, kept(sums[0], inside, p))
            store(grad_weight, at + pixels, kept(sums[1], inside, pixels + p))
            store(grad_weight, at + TWO * pixels, kept(sums[2], inside, TWO * pixels + p))
            store(grad_weight, at + THREE * pixels, kept(sums[3], inside, THREE * pixels + p))
            store(grad_weight, at + FOUR * pixels, kept(sums[4], inside, FOUR * pixels + p))
            store(grad_weight, at + FIVE * pixels, kept(sums[5], inside, FIVE * pixels + p))
            store(grad_weight, at + SIX * pixels, kept(sums[6], inside, SIX * pixels + p))
            store(grad_weight, at + SEVEN * pixels, kept(sums[7], inside, SEVEN * pixels + p))
            store(grad_weight, at + EIGHT * pixels, kept(sums[8], inside, EIGHT * pixels + p))


# --- pixel by pixel (NHWC): a unit is one row of one image; a weight channel fills a vector at least ---


@helper
def load_nine(weight, place, pitch):
    """Return nine vectors, ``weight[place + g*pitch + k]`` for neighbouring g."""
    a = load_columns(weight, place, pitch)
    b = load_columns(weight, place + FOUR, pitch)
    c = load_columns(weight, place + FIVE, pitch)
    return a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[3]


@helper
def _store_nine(weight, place, pitch, w):
    """Write nine vectors: the opposite of :func:`load_nine`."""
    store_columns(weight, place, pitch, (w[0], w[1], w[2], w[3]))
    store_columns(weight, place + FOUR, pitch, (w[4], w[5], w[6], w[7]))
    store_columns(weight, place + FIVE, pitch, (w[5], w[6], w[7], w[8]))


@helper
def edges_of(row, column, height, width):
    """Return whether there are pixels above, below, to the left and to the right, and whether all are."""
    up, down, left, right = row > 0, row + ONE < height, column > 0, column + ONE < width
    return up, down, left, right, up & down & left & right


@helper
def neighbours(place, line, channels, edges):
    """Return where the nine neighbours of a pixel begin; the pixel itself where there is none."""
    up, down, left, right, _ = edges
    return (
        place - line - channels if up & left else place,
        place - line if up else place,
        place - line + channels if up & right else place,
        place - channels if left else place,
        place,
        place + channels if right else place,
        place + line - channels if down & left else place,
        place + line if down else place,
        place + line + channels if down & right else place,
    )


@helper
def cleared(w, zero, edges):
    """Return nine vectors, with zero where there is no neighbour."""
    up, down, left, right, is_inner = edges
    if is_inner:
        return w
    return (
        w[0] if up & left else zero,
        w[1] if up else zero,
        w[2] if up & right else zero,
        w[3] if left else zero,
        w[4],
        w[5] if right else zero,
        w[6] if down & left else zero,
        w[7] if down else zero,
        w[8] if down & right else zero,
    )


@helper
def copy_row(source, start, count, copy, first):
    """Copy `count` numbers, at least a vector, widened."""
    for begin in range(ZERO, count, lanes(source)):
        i = min(begin, count - lanes(source))
        store(copy, first + i, load(source, start + i))


@helper
def ring(row, column, width, height, channels):
    """Return where the nine neighbours of a pixel are in copies of three rows, which take turns.

    Where there is none it is some pixel of them.
    """
    edges = edges_of(row, column, height, width)
    left = channels if edges[2] else ZERO
    right = channels if edges[3] else ZERO
    above = ((row + TWO) % THREE * width + column) * channels
    here = (row % THREE * width + column) * channels
    below = ((row + ONE) % THREE * width + column) * channels
    return (
        above - left, above, above + right,
        here - left, here, here + right,
        below - left, below, below + right,
    )  # fmt: skip


@helper
def fill_ring(x, image, row, width, height, channels, copy, ready):
    """Copy the rows around `row` of an image to where :func:`ring` finds them; return the first that is not.

    Rows are counted through all images; those before `ready` are there.
    """
    line, unit = width * channels, image * height + row
    for near in range(max(ready, unit - min(row, ONE)), unit + min(height - row, TWO)):
        copy_row(x, near * line, line, copy, (near - image * height) % THREE * line)
        ready = near + ONE
    return ready


@compiled
def forward_nhwc(x_at, weight_at, y_at, like, inside, sizes, w_strides, first, last):
    """Aggregate the rows `first` to `last`, as :func:`lsbench.models.ops.ska_cpu_kernels.forward_nhwc`."""
    x, weight, y = pointer(x_at, like), pointer(weight_at, like), pointer(y_at, like)
    height, width, groups, shared, _ = sizes
    channels, step, zero = groups * shared, lanes(x), splat(x, 0)
    line = width * channels
    copy = np.zeros(THREE * line if widens(x) else ZERO, inside.dtype)
    ready = ZERO
    for unit in range(first, last):
        image, row = unit // height, unit % height
        if widens(x):
            ready = fill_ring(x, image, row, width, height, channels, copy, ready)
        for column in range(ZERO, width):
            place = (unit * width + column) * channels
            origin = image * w_strides[0] + (row * width + column) * w_strides[1]
            edges = edges_of(row, column, height, width)
            for begin in range(ZERO, groups, step):
                g = min(begin, groups - step)
                w = cleared(load_nine(weight, origin + g * w_strides[2], w_strides[2]), zero, edges)
                if widens(x):
                    at = ring(row, column, width, height, channels)
                    _weighted_sums(w, copy, at, g, groups, y, place + g, groups, shared)
                else:
                    at = neighbours(place, line, channels, edges)
                    _weighted_sums(w, x, at, g, groups, y, place + g, groups, shared)


@helper
def _copy_weights(weight, origin, pixel, group, width, groups, copy, first):
    """Copy a row's weights to ``copy[((first + column)*9 + k) * groups + g]``."""
    for column in range(ZERO, width):
        for begin in range(ZERO, groups, lanes(copy)):
            g = min(begin, groups - lanes(copy))
            w = load_nine(weight, origin + column * pixel + g * group, group)
            at = (first + column) * NINE * groups + g
            store(copy, at, w[0])
            store(copy, at + groups, w[1])
            store(copy, at + TWO * groups, w[2])
            store(copy, at + THREE * groups, w[3])
            store(copy, at + FOUR * groups, w[4])
            store(copy, at + FIVE * groups, w[5])
            store(copy, at + SIX * groups, w[6])
            store(copy, at + SEVEN * groups, w[7])
            store(copy, at + EIGHT * groups, w[8])


@helper
def _copied_to(row, column, width, groups, zeros, edges):
    """Return where the weights are copied by which others use the pixel, `zeros` if there is no such pixel.

    The copy holds three rows in turn. Tap k of the pixel that lies opposite to it points to this one.
    """
    up, down, left, right, _ = edges
    pixel = NINE * groups
    above = ((row + TWO) % THREE * width + column) * pixel
    here = (row % THREE * width + column) * pixel
    below = ((row + ONE) % THREE * width + column) * pixel
    return (
        below + pixel if down & right else zeros,
        below + groups if down else zeros,
        below - pixel + TWO * groups if down & left else zeros,
        here + pixel + THREE * groups if right else zeros,
        here + FOUR * groups,
        here - pixel + FIVE * groups if left else zeros,
        above + pixel + SIX * groups if up & right else zeros,
        above + SEVEN * groups if up else zeros,
        above - pixel + EIGHT * groups if up & left else zeros,
    )


@compiled
def backward_nhwc(
    grad_at, x_at, weight_at, grad_x_at, grad_weight_at, like, inside, sizes, w_strides, first, last
):
    """Write both gradients of the rows `first` to `last`; arguments as in :func:`forward_nhwc`."""
    grad, x, weight = pointer(grad_at, like), pointer(x_at, like), pointer(weight_at, like)
    grad_x, grad_weight = pointer(grad_x_at, like), pointer(grad_weight_at, like)
    height, width, groups, shared, _ = sizes
    channels, step, zero = groups * shared, lanes(x), splat(x, 0)
    zeros = THREE * width * NINE * groups
    copy = np.zeros(zeros + groups, inside.dtype)
    ready = ZERO
    for unit in range(first, last):
        image, row = unit // height, unit % height
        for near in range(max(ready, unit - min(row, ONE)), unit + min(height - row, TWO)):
            near_row = near - image * height
            origin = image * w_strides[0] + near_row * width * w_strides[1]
            _copy_weights(
                weight, origin, w_strides[1], w_strides[2], width, groups, copy, near_row % THREE * width
            )
            ready = near + ONE
        for column in range(ZERO, width):
            place = (unit * width + column) * channels
            origin = image * w_strides[0] + (row * width + column) * w_strides[1]
            edges = edges_of(row, column, height, width)
            at = neighbours(place, width * channels, channels, edges)
            back = (at[8], at[7], at[6], at[5], at[4], at[3], at[2], at[1], at[0])
            wa = _copied_to(row, column, width, groups, zeros, edges)
            for begin in range(ZERO, groups, step):
                g = min(begin, groups - step)
                w = (
                    load(copy, wa[0] + g), load(copy, wa[1] + g), load(copy, wa[2] + g),
                    load(copy, wa[3] + g), load(copy, wa[4] + g), load(copy, wa[5] + g),
                    load(copy, wa[6] + g), load(copy, wa[7] + g), load(copy, wa[8] + g),
                )  # fmt: skip
                _weighted_sums(w, grad, back, g, groups, grad_x, place + g, groups, shared)
                sums = cleared(_products(grad, place, x, at, g, groups, shared), zero, edges)
                _store_nine(grad_weight, origin + g * w_strides[2], w_strides[2], sums)
