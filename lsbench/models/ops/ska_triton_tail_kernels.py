"""The GPU programs of SKA's fused tail: statistics of the weights' group norm, then everything in one pass.

Shapes: G weight channels, M = C / G channels that share one weight, K*K taps, D = G * K*K, H, W plane, L = G
* H * W positions of all weight channels of one image.

The first program reads the raw weights of one weight channel of one image twice, for their mean and for their
variance: one pass would lose digits, and the second finds them in a cache. The second program is that of
:mod:`lsbench.models.ops.ska_triton_kernels`, with weights that are normalised as they are read, and sums that
are normalised and added to their pixel before they are written.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3. The authors' code does the four steps one by one.
"""

# ruff: noqa: N803 - Triton writes compile-time constants in capitals
from __future__ import annotations

import triton
import triton.language as tl

from lsbench.models.ops.ska_triton_kernels import (
    OFFERED,
    TUNED_FOR,
    fitting_launches,
    is_inside,
    own_positions,
)

#: Values of a weight channel that a program reads at once.
STATISTICS_BLOCK = 1024


@triton.jit
def _raw_weights(
    weight: tl.tensor,
    stride: tl.tuple,
    first: tl.tensor,
    plane: tl.tensor,
    width: tl.tensor,
    K: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tuple:
    """Return values of one weight channel from place `first` on, 0 beyond the last one, and which exist."""
    q = first + tl.arange(0, BLOCK)
    if WIDE:
        q = q.to(tl.int64)
    if CHANNELS_LAST:
        tap, pixel = q % (K * K), q // (K * K)
    else:
        tap, pixel = q // plane, q % plane
    exists = q < K * K * plane
    place = tap * stride[1] + (pixel // width) * stride[2] + (pixel % width) * stride[3]
    return tl.load(weight + place, mask=exists, other=0.0).to(ACC), exists


@triton.jit
def ska_statistics(
    weight: tl.tensor,
    mean: tl.tensor,
    scale: tl.tensor,
    weight_stride: tl.tuple,
    height: tl.tensor,
    width: tl.tensor,
    G: tl.constexpr,
    K: tl.constexpr,
    EPSILON: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write mean and inverse deviation of the raw weights of one weight channel of one image."""
    image = (tl.program_id(0) // G).to(tl.int64)
    group = tl.program_id(0) % G
    plane = height * width
    weight += image * weight_stride[0] + tl.cast(group * (K * K), tl.int64) * weight_stride[1]
    total = tl.zeros((BLOCK,), ACC)
    for first in tl.range(0, K * K * plane, BLOCK):
        value, exists = _raw_weights(
            weight, weight_stride, first, plane, width, K, ACC, CHANNELS_LAST, WIDE, BLOCK
        )
        total += value
    count = (K * K * plane).to(ACC)
    middle = tl.sum(total) / count
    squares = tl.zeros((BLOCK,), ACC)
    for first in tl.range(0, K * K * plane, BLOCK):
        value, exists = _raw_weights(
            weight, weight_stride, first, plane, width, K, ACC, CHANNELS_LAST, WIDE, BLOCK
        )
        apart = tl.where(exists, value - middle, 0.0)
        squares = tl.fma(apart, apart, squares)
    tl.store(mean + tl.program_id(0), middle)
    tl.store(scale + tl.program_id(0), 1.0 / tl.sqrt(tl.sum(squares) / count + EPSILON))


@triton.autotune(OFFERED, TUNED_FOR, prune_configs_by=fitting_launches(72), cache_results=True)
@triton.jit(do_not_specialize=["size_class"])
def ska_tail(
    x: tl.tensor,
    weight: tl.tensor,
    y: tl.tensor,
    mean: tl.tensor,
    scale: tl.tensor,
    gamma: tl.tensor,
    beta: tl.tensor,
    norm_weight: tl.tensor,
    norm_bias: tl.tensor,
    norm_mean: tl.tensor,
    norm_variance: tl.tensor,
    x_stride: tl.tuple,
    weight_stride: tl.tuple,
    y_stride: tl.tuple,
    length: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    size_class: tl.tensor,
    G: tl.constexpr,
    M: tl.constexpr,
    K: tl.constexpr,
    EPSILON: tl.constexpr,
    UNROLL: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write y at the program's positions of the M channels that share their weights."""
    image, group, row, column, exists = own_positions(length, width, G, CHANNELS_LAST, WIDE, BLOCK)
    x += image * x_stride[0] + (group * x_stride[1] + row * x_stride[2] + column * x_stride[3])
    y += image * y_stride[0] + (group * y_stride[1] + row * y_stride[2] + column * y_stride[3])
    weight += image * weight_stride[0]
    weight += group * (K * K) * weight_stride[1] + row * weight_stride[2] + column * weight_stride[3]
    middle = tl.load(mean + image * G + group, mask=exists, other=0.0)
    spread = tl.load(scale + image * G + group, mask=exists, other=0.0)
    inside, weights = (), ()
    for tap in tl.static_range(K * K):
        dy, dx = tap // K - K // 2, tap % K - K // 2
        inside += (exists & is_inside(row + dy, column + dx, height, width),)
        raw = tl.load(weight + tap * weight_stride[1], mask=inside[tap], other=0.0).to(ACC)
        steep = tl.load(gamma + group * (K * K) + tap, mask=exists, other=0.0).to(ACC) * spread
        level = tl.load(beta + group * (K * K) + tap, mask=exists, other=0.0).to(ACC)
        weights += (tl.fma(raw - middle, steep, level),)
    channel = group
    for _ in tl.range(M, loop_unroll_factor=UNROLL):
        total = tl.zeros((BLOCK,), ACC)
        for tap in tl.static_range(K * K):
            dy, dx = tap // K - K // 2, tap % K - K // 2
            neighbour = x + dy * x_stride[2] + dx * x_stride[3]
            value = tl.load(neighbour, mask=inside[tap], other=0.0).to(ACC)
            total = tl.fma(weights[tap], value, total)
        variance = tl.load(norm_variance + channel, mask=exists, other=1.0).to(ACC)
        steep = tl.load(norm_weight + channel, mask=exists, other=0.0).to(ACC) / tl.sqrt(variance + EPSILON)
        centred = total - tl.load(norm_mean + channel, mask=exists, other=0.0).to(ACC)
        level = tl.load(norm_bias + channel, mask=exists, other=0.0).to(ACC)
        own = tl.load(x, mask=exists, other=0.0).to(ACC)
        result = tl.fma(centred, steep, level) + own
        tl.store(y, result.to(y.dtype.element_ty), mask=exists)
        x += G * tl.cast(x_stride[1], tl.int64)
        y += G * tl.cast(y_stride[1], tl.int64)
        channel += G
