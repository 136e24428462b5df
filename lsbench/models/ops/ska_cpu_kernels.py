"""The loops of SKA on a CPU, compiled by numba on first use and kept on disk.

Two memory layouts, one inner loop. If images are stored plane by plane (NCHW), a vector holds neighbouring
pixels of one plane: planes are copied into scratch rows with zeros before and after, and the neighbour at
(dy, dx) is an offset of ``dy * W + dx``; values read from the wrong row are multiplied by a weight that was
set to zero. If the channels of a pixel lie together (NHWC), a vector holds channels of one pixel, and only
the weights are copied, tap by tap. bfloat16 is widened when read and rounded to nearest even when written;
sums are kept in float32.

Index arithmetic is unsigned: it wraps around, so an offset may be "negative", and numba adds no check for
negative indices.

Shapes: M channels share one weight, P = H * W pixels, K*K taps, D = G * K*K weight channels.
"""

# Numba infers the types, anew for each dtype.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, call-arg, var-annotated"
from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from lsbench.core.loops import helper_compiler, loop_compiler
from lsbench.models.ops.simd import lanes, load, multiply_add, splat, store

U = np.uint64
ZERO, ONE, TWO, THREE, FOUR = U(0), U(1), U(2), U(3), U(4)
compiled = loop_compiler(fastmath={"contract", "nsz"})
helper = helper_compiler(fastmath={"contract", "nsz"})
#: For sums over a row, which LLVM may then split over the lanes of a vector.
helper_sums = helper_compiler(fastmath={"contract", "nsz", "reassoc"})


def widened(value):
    """Return a stored number in the type for computation: bfloat16 is stored as its 16 bits."""


@overload(widened, inline="always")
def _widened(value):
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


def narrowed(value, array):
    """Return a computed number in the type that `array` stores."""


@overload(narrowed, inline="always")
def _narrowed(value, array):
    return _to_bfloat16 if array.dtype == types.uint16 else lambda value, array: value


def _to_bfloat16(value, array):
    bits = np.float32(value).view(np.uint32)
    half = np.uint32(0x7FFF) + np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    rounded = np.uint16(np.uint32(bits + half) >> np.uint32(16))
    return rounded if value == value else np.uint16(0x7FC0)  # noqa: PLR0124 - only NaN differs from itself


@helper
def _aggregate(weights, w_taps, x, x_taps, x_pitch, y, y0, y_pitch, count, shared):
    """Write ``y[y0 + m*y_pitch + i] = sum_k weights[w_taps[k] + i] * x[x_taps[k] + m*x_pitch + i]``.

    For m below `shared` and i below `count`, which is at least one vector; the last vector may overlap the
    one before it. Four m are summed at a time, so that each weight is loaded once for them.
    """
    step, taps = lanes(weights), len(w_taps)
    for begin in range(ZERO, count, step):
        i = min(begin, count - step)
        fours = shared // FOUR * FOUR
        for m in range(ZERO, fours, FOUR):
            a = b = c = d = splat(weights, 0)
            for k in range(taps):
                weight, place = load(weights, w_taps[k] + i), x_taps[k] + m * x_pitch + i
                a = multiply_add(weight, load(x, place), a)
                b = multiply_add(weight, load(x, place + x_pitch), b)
                c = multiply_add(weight, load(x, place + TWO * x_pitch), c)
                d = multiply_add(weight, load(x, place + THREE * x_pitch), d)
            place = y0 + m * y_pitch + i
            store(y, place, a)
            store(y, place + y_pitch, b)
            store(y, place + TWO * y_pitch, c)
            store(y, place + THREE * y_pitch, d)
        for m in range(fours, shared):
            a = splat(weights, 0)
            for k in range(taps):
                a = multiply_add(load(weights, w_taps[k] + i), load(x, x_taps[k] + m * x_pitch + i), a)
            store(y, y0 + m * y_pitch + i, a)


@helper
def _correlate(grad, g0, x, x_taps, pitch, out, out_pitch, count, shared):
    """Write ``out[k*out_pitch + i] = sum_m grad[g0 + m*pitch + i] * x[x_taps[k] + m*pitch + i]``.

    For all taps k and i below `count`, which is at least one vector. Three taps are summed at a time.
    """
    step, taps = lanes(out), U(len(x_taps))
    for begin in range(ZERO, count, step):
        i = min(begin, count - step)
        threes = taps // THREE * THREE
        for k in range(ZERO, threes, THREE):
            a = b = c = splat(out, 0)
            for m in range(ZERO, shared):
                place = m * pitch + i
                g = load(grad, g0 + place)
                a = multiply_add(g, load(x, x_taps[k] + place), a)
                b = multiply_add(g, load(x, x_taps[k + ONE] + place), b)
                c = multiply_add(g, load(x, x_taps[k + TWO] + place), c)
            store(out, k * out_pitch + i, a)
            store(out, (k + ONE) * out_pitch + i, b)
            store(out, (k + TWO) * out_pitch + i, c)
        for k in range(threes, taps):
            a = splat(out, 0)
            for m in range(ZERO, shared):
                place = m * pitch + i
                a = multiply_add(load(grad, g0 + place), load(x, x_taps[k] + place), a)
            store(out, k * out_pitch + i, a)


# --- plane by plane (NCHW): a unit is one image and one weight channel --------------------------------------


@helper
def _copy_rows(source, start, pitch, scratch, first, row, rows, pixels):
    """Copy `rows` planes that lie `pitch` apart to ``scratch[first + r * row]``."""
    for r in range(ZERO, rows):
        for p in range(ZERO, pixels):
            scratch[first + r * row + p] = widened(source[start + r * pitch + p])


@helper
def _mask_rows(scratch, first, row, rows, inside, pixels):
    """Set the values of neighbours outside the plane to zero."""
    for r in range(ZERO, rows):
        for p in range(ZERO, pixels):
            kept = scratch[first + r * row + p]
            scratch[first + r * row + p] = kept if inside[r * pixels + p] > 0 else 0


@helper
def _store_rows(scratch, row, rows, target, start, pitch, pixels):
    for r in range(ZERO, rows):
        for p in range(ZERO, pixels):
            target[start + r * pitch + p] = narrowed(scratch[r * row + p], target)


@helper
def _scratch(inside, pixels, pad, shared, taps):
    """Return the padded pixel count, the length of a row, and rows for planes, weights and results."""
    count, row = max(pixels, lanes(inside)), pixels + TWO * pad + lanes(inside)
    planes, weights = np.zeros(shared * row, inside.dtype), np.zeros(taps * row, inside.dtype)
    return count, row, planes, weights, np.empty(max(shared, taps) * row, inside.dtype)


@helper
def _offsets(kernel, width, row, pad, is_backward):
    """Return the start of a row's weights and neighbours, per tap, relative to the start of padded rows.

    Forward, pixel p uses its own weight k and the neighbour that tap k points to. Backward it uses weight k
    of the pixel whose tap k points to it.
    """
    w_taps, x_taps = np.empty(kernel * kernel, np.uint64), np.empty(kernel * kernel, np.uint64)
    for i in range(ZERO, kernel):
        for j in range(ZERO, kernel):
            k, shift = i * kernel + j, i * width + j
            x_taps[k] = TWO * pad - shift if is_backward else shift
            w_taps[k] = k * row + (x_taps[k] if is_backward else pad)
    return w_taps, x_taps


@compiled
def forward_nchw(x, weight, y, inside, sizes, first, last):
    """Aggregate the units `first` to `last`; `inside` is 1 where tap k of pixel p lies inside the plane.

    `sizes` is (H, W, G, M, K); arrays are flat and contiguous, `inside` has shape (K*K * P,) and the dtype of
    the sums.
    """
    height, width, groups, shared, kernel = sizes
    pixels, taps, pad = height * width, kernel * kernel, kernel // TWO * (width + ONE)
    count, row, planes, weights, out = _scratch(inside, pixels, pad, shared, taps)
    w_taps, x_taps = _offsets(kernel, width, row, pad, False)
    for unit in range(first, last):
        start = (unit // groups * shared * groups + unit % groups) * pixels
        _copy_rows(x, start, groups * pixels, planes, pad, row, shared, pixels)
        _copy_rows(weight, unit * taps * pixels, pixels, weights, pad, row, taps, pixels)
        _mask_rows(weights, pad, row, taps, inside, pixels)
        _aggregate(weights, w_taps, planes, x_taps, row, out, ZERO, row, count, shared)
        _store_rows(out, row, shared, y, start, groups * pixels, pixels)


@compiled
def backward_nchw(grad, x, weight, grad_x, grad_weight, inside, sizes, first, last):
    """Write both gradients of the units `first` to `last`; arguments as in :func:`forward_nchw`."""
    height, width, groups, shared, kernel = sizes
    pixels, taps, pad = height * width, kernel * kernel, kernel // TWO * (width + ONE)
    count, row, planes, weights, out = _scratch(inside, pixels, pad, shared, taps)
    grads = np.zeros_like(planes)
    _, x_taps = _offsets(kernel, width, row, pad, False)
    w_taps, back_taps = _offsets(kernel, width, row, pad, True)
    for unit in range(first, last):
        start, w_start = (unit // groups * shared * groups + unit % groups) * pixels, unit * taps * pixels
        _copy_rows(x, start, groups * pixels, planes, pad, row, shared, pixels)
        _copy_rows(grad, start, groups * pixels, grads, pad, row, shared, pixels)
        _copy_rows(weight, w_start, pixels, weights, pad, row, taps, pixels)
        _mask_rows(weights, pad, row, taps, inside, pixels)
        _aggregate(weights, w_taps, grads, back_taps, row, out, ZERO, row, count, shared)
        _store_rows(out, row, shared, grad_x, start, groups * pixels, pixels)
        _correlate(grads, pad, planes, x_taps, row, out, row, count, shared)
        _mask_rows(out, ZERO, row, taps, inside, pixels)
        _store_rows(out, row, taps, grad_weight, w_start, pixels, pixels)


# --- pixel by pixel (NHWC): a unit is one row of one image; a weight channel fills a vector at least ------


@helper
def _neighbour(k, kernel, y, x, height, width, is_backward):
    """Return True if the pixel that tap k of (y, x) points to is inside, and its distance in pixels.

    Backward it is the pixel whose tap k points to (y, x).
    """
    reach = kernel // TWO
    dy, dx = k // kernel - reach, k % kernel - reach
    if is_backward:
        dy, dx = ZERO - dy, ZERO - dx
    return (y + dy < height) & (x + dx < width), dy * width + dx


@compiled
def forward_nhwc(x, weight, y, inside, sizes, w_strides, first, last):
    """Aggregate the rows `first` to `last` of all images, where a pixel's channels lie together.

    `w_strides` is the (image, pixel, group, tap) strides of `weight`; other arguments as in
    :func:`forward_nchw`, of `inside` only the dtype.
    """
    height, width, groups, shared, kernel = sizes
    taps, channels = kernel * kernel, groups * shared
    weights = np.empty(taps * groups, inside.dtype)
    w_taps, x_taps = np.empty(taps, np.uint64), np.empty(taps, np.uint64)
    for k in range(ZERO, taps):
        w_taps[k] = k * groups
    for unit in range(first, last):
        image, row = unit // height, unit % height
        for column in range(ZERO, width):
            place = (unit * width + column) * channels
            origin = image * w_strides[0] + (row * width + column) * w_strides[1]
            for k in range(ZERO, taps):
                is_inside, distance = _neighbour(k, kernel, row, column, height, width, False)
                x_taps[k] = place + (distance * channels if is_inside else ZERO)
                for g in range(ZERO, groups):
                    value = widened(weight[origin + g * w_strides[2] + k * w_strides[3]])
                    weights[k * groups + g] = value if is_inside else 0
            _aggregate(weights, w_taps, x, x_taps, groups, y, place, groups, groups, shared)


@compiled
def backward_nhwc(grad, x, weight, grad_x, grad_weight, inside, sizes, w_strides, first, last):
    """Write both gradients of the rows `first` to `last`; arguments as in :func:`forward_nhwc`."""
    height, width, groups, shared, kernel = sizes
    taps, channels = kernel * kernel, groups * shared
    weights = np.empty(taps * groups, inside.dtype)
    w_taps, x_taps = np.empty(taps, np.uint64), np.empty(taps, np.uint64)
    for k in range(ZERO, taps):
        w_taps[k] = k * groups
    for unit in range(first, last):
        image, row = unit // height, unit % height
        for column in range(ZERO, width):
            place, pixel = (unit * width + column) * channels, row * width + column
            for k in range(ZERO, taps):
                is_inside, distance = _neighbour(k, kernel, row, column, height, width, True)
                x_taps[k] = place + (distance * channels if is_inside else ZERO)
                source = pixel + distance if is_inside else pixel
                origin = image * w_strides[0] + source * w_strides[1] + k * w_strides[3]
                for g in range(ZERO, groups):
                    value = widened(weight[origin + g * w_strides[2]])
                    weights[k * groups + g] = value if is_inside else 0
            _aggregate(weights, w_taps, grad, x_taps, groups, grad_x, place, groups, groups, shared)
            for k in range(ZERO, taps):
                is_inside, distance = _neighbour(k, kernel, row, column, height, width, False)
                x_taps[k] = place + (distance * channels if is_inside else ZERO)
            _correlate(grad, place, x, x_taps, groups, weights, groups, groups, shared)
            for k in range(ZERO, taps):
                is_inside, _ = _neighbour(k, kernel, row, column, height, width, False)
                origin = image * w_strides[0] + pixel * w_strides[1] + k * w_strides[3]
                for g in range(ZERO, groups):
                    value = weights[k * groups + g] if is_inside else 0
                    grad_weight[origin + g * w_strides[2]] = narrowed(value, grad_weight)


# --- with the layers around SKA in evaluation: group norm of the weights, batch norm of the sum, residual --


@helper
def channel_affine(norm, channel, eps):
    """Return one channel's scale and shift for a batch norm; `norm` is its (weight, bias, mean, variance)."""
    scale = widened(norm[0][channel]) / np.sqrt(widened(norm[3][channel]) + eps)
    return scale, widened(norm[1][channel]) - widened(norm[2][channel]) * scale


@helper_sums
def _sum_row(values, first, pixels):
    total = values[first] * 0
    for p in range(ZERO, pixels):
        total += values[first + p]
    return total


@helper_sums
def _sum_squares(values, first, pixels, mean):
    total = values[first] * 0
    for p in range(ZERO, pixels):
        total += (values[first + p] - mean) ** 2
    return total


@helper
def moments_of_rows(weights, first, row, taps, pixels, eps):
    """Return the mean of `taps` rows, and one over their standard deviation."""
    total = square = weights[0] * 0
    for k in range(ZERO, taps):
        total += _sum_row(weights, first + k * row, pixels)
    mean = total / (taps * pixels)
    for k in range(ZERO, taps):
        square += _sum_squares(weights, first + k * row, pixels, mean)
    return mean, 1 / np.sqrt(square / (taps * pixels) + eps)


@helper
def row_affine(affine, channel, mean, inverse):
    """Return the scale and shift of one row of weights by the moments of its group."""
    scale = widened(affine[0][channel]) * inverse
    return scale, widened(affine[1][channel]) - mean * scale


@helper
def _normalize_rows(weights, first, row, taps, pixels, group, affine, eps):
    """Normalise the `taps` rows of one weight channel as one group, then scale and shift each row."""
    mean, inverse = moments_of_rows(weights, first, row, taps, pixels, eps)
    for k in range(ZERO, taps):
        scale, shift = row_affine(affine, group * taps + k, mean, inverse)
        for p in range(ZERO, pixels):
            weights[first + k * row + p] = weights[first + k * row + p] * scale + shift


@compiled
def tail_nchw(x, weight, y, affine, norm, epsilons, inside, sizes, first, last):
    """Write ``batch_norm(ska(x, group_norm(weight))) + x`` for the units `first` to `last`.

    `affine` is the (weight, bias) of the group norm, `norm` the (weight, bias, mean, variance) of the batch
    norm, `epsilons` theirs in this order; other arguments as in :func:`forward_nchw`.
    """
    height, width, groups, shared, kernel = sizes
    pixels, taps, pad = height * width, kernel * kernel, kernel // TWO * (width + ONE)
    count, row, planes, weights, out = _scratch(inside, pixels, pad, shared, taps)
    w_taps, x_taps = _offsets(kernel, width, row, pad, False)
    for unit in range(first, last):
        group = unit % groups
        start = (unit // groups * shared * groups + group) * pixels
        _copy_rows(x, start, groups * pixels, planes, pad, row, shared, pixels)
        _copy_rows(weight, unit * taps * pixels, pixels, weights, pad, row, taps, pixels)
        _normalize_rows(weights, pad, row, taps, pixels, group, affine, epsilons[0])
        _mask_rows(weights, pad, row, taps, inside, pixels)
        _aggregate(weights, w_taps, planes, x_taps, row, out, ZERO, row, count, shared)
        for m in range(ZERO, shared):
            scale, shift = channel_affine(norm, m * groups + group, epsilons[1])
            for p in range(ZERO, pixels):
                value = out[m * row + p] * scale + shift + planes[m * row + pad + p]
                y[start + m * groups * pixels + p] = narrowed(value, y)


@helper
def average_groups(values, groups, taps, count):
    """Replace each of a group's values by their common sum over `count`."""
    for g in range(ZERO, groups):
        total = values[g * taps]
        for d in range(g * taps + ONE, (g + ONE) * taps):
            total += values[d]
        for d in range(g * taps, (g + ONE) * taps):
            values[d] = total / count


@helper
def _group_affine(weight, start, pixels, groups, taps, affine, eps, scale, shift):
    """Write the scale and shift of one image's group norm for each of its D weight channels."""
    depth, count = groups * taps, taps * pixels
    for d in range(ZERO, depth):
        scale[d] = shift[d] = 0
    for p in range(ZERO, pixels):
        for d in range(ZERO, depth):
            shift[d] += widened(weight[start + p * depth + d])
    average_groups(shift, groups, taps, count)
    for p in range(ZERO, pixels):
        for d in range(ZERO, depth):
            scale[d] += (widened(weight[start + p * depth + d]) - shift[d]) ** 2
    average_groups(scale, groups, taps, count)
    for d in range(ZERO, depth):
        scale[d] = widened(affine[0][d]) / np.sqrt(scale[d] + eps)
        shift[d] = widened(affine[1][d]) - shift[d] * scale[d]


@compiled
def tail_nhwc(x, weight, y, affine, norm, epsilons, inside, sizes, w_strides, first, last):
    """Same as :func:`tail_nchw` for the images `first` to `last` with the channels of a pixel together."""
    height, width, groups, shared, kernel = sizes
    pixels, taps, channels = height * width, kernel * kernel, groups * shared
    weights, out = np.empty(taps * groups, inside.dtype), np.empty(channels, inside.dtype)
    w_scale, w_shift = np.empty_like(weights), np.empty_like(weights)
    normal = np.empty_like(weights)
    scale, shift = np.empty(channels, inside.dtype), np.empty(channels, inside.dtype)
    w_taps, x_taps = np.empty(taps, np.uint64), np.empty(taps, np.uint64)
    for k in range(ZERO, taps):
        w_taps[k] = k * groups
    for c in range(ZERO, channels):
        scale[c], shift[c] = channel_affine(norm, c, epsilons[1])
    for image in range(first, last):
        start = image * w_strides[0]
        _group_affine(weight, start, pixels, groups, taps, affine, epsilons[0], w_scale, w_shift)
        for pixel in range(ZERO, pixels):
            place, origin = (image * pixels + pixel) * channels, start + pixel * taps * groups
            for d in range(ZERO, taps * groups):
                normal[d] = widened(weight[origin + d]) * w_scale[d] + w_shift[d]
            for k in range(ZERO, taps):
                is_inside, distance = _neighbour(
                    k, kernel, pixel // width, pixel % width, height, width, False
                )
                x_taps[k] = place + (distance * channels if is_inside else ZERO)
                for g in range(ZERO, groups):
                    weights[k * groups + g] = normal[g * taps + k] if is_inside else 0
            _aggregate(weights, w_taps, x, x_taps, groups, out, ZERO, groups, groups, shared)
            for c in range(ZERO, channels):
                y[place + c] = narrowed(out[c] * scale[c] + shift[c] + widened(x[place + c]), y)
