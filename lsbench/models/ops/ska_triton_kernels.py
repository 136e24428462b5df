"""The GPU programs of SKA: one launch for the result, one for both gradients.

Shapes: G weight channels, M = C / G channels that share one weight, K*K taps, H, W plane, L = G * H * W
positions of all weight channels of one image.

A program owns BLOCK of the L positions. It reads their weights once, keeps them in registers and loops over
the M channels that use them: each weight is loaded once for all channels that share it, and M may be any
number. Neighbouring lanes hold neighbours in memory: pixels of a channel if the features are contiguous,
channels of a pixel if they are channels_last. Addresses come from strides: no tensor is copied into another
layout.

The neighbour that a tap reads in the forward pass is the one whose gradient the mirrored tap returns, so the
backward program gathers both from one place with one mask, and writes each element once. Sums run tap by tap
and channel by channel in every launch: there is no atomic addition, and the tuner's choice does not change a
bit. Products are written as fused multiply-adds, since Triton versions differ in whether they fuse.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.3. Half precision is accumulated in float32.
"""

# ruff: noqa: N803 - Triton writes compile-time constants in capitals
from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

#: Key of the best launch. Not the batch or the plane, but the order of magnitude of all positions.
TUNED_FOR = ["G", "M", "K", "CHANNELS_LAST", "size_class"]

LAUNCHES = [
    triton.Config({"BLOCK": block}, num_warps=warps)
    for block, warps in ((128, 4), (128, 2), (256, 4), (256, 2), (512, 4), (256, 8), (512, 8), (512, 2))
]
#: Launches that are compiled and timed: a device's first job waits for them.
MOST_TRIED = 3
#: Below this size class (8,192 positions) there are fewer blocks than a large GPU has multiprocessors: the
#: smallest block is best, and nothing is to be tried. From `MANY_FROM` on (32,768) larger blocks come first.
TRIED_FROM, MANY_FROM = 7, 8
# Tuning needs a clock, which the interpreter lacks.
OFFERED = LAUNCHES[:1] if triton.knobs.runtime.interpret else LAUNCHES


def fitting_launches(most_values: int) -> Any:
    """Return the rule that chooses the few launches to try.

    Their threads keep at most `most_values` weights in registers.
    """

    def fitting(launches: list[Any], _: dict[str, Any], **sizes: Any) -> list[Any]:
        most = max(1, most_values // sizes["K"] ** 2)
        fits = [one for one in launches if one.kwargs["BLOCK"] // (32 * one.num_warps) <= most]
        if sizes["size_class"] >= MANY_FROM:
            fits.sort(key=lambda one: one.kwargs["BLOCK"] == 128)
        return fits[: MOST_TRIED if sizes["size_class"] >= TRIED_FROM else 1]

    return {"early_config_prune": fitting}


@triton.jit
def own_positions(
    length: tl.tensor,
    width: tl.tensor,
    G: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tuple:
    """Return image, weight channel, row and column of the program's positions, and which of them exist."""
    blocks = tl.cdiv(length, BLOCK)
    image = (tl.program_id(0) // blocks).to(tl.int64)
    block = tl.program_id(0) % blocks
    if WIDE:
        block = block.to(tl.int64)
    q = block * BLOCK + tl.arange(0, BLOCK)
    plane = length // G
    # Not `q < length`: from this form the compiler sees that all channels of a pixel exist or none does, and
    # then loads several at once.
    if CHANNELS_LAST:
        group, position = q % G, q // G
        exists = position < plane
    else:
        group, position = q // plane, q % plane
        exists = group < G
    return image, group, position // width, position % width, exists


@triton.jit
def is_inside(row: tl.tensor, column: tl.tensor, height: tl.tensor, width: tl.tensor) -> tl.tensor:
    """Return a mask of the neighbours inside the plane."""
    return (row >= 0) & (row < height) & (column >= 0) & (column < width)


@triton.autotune(OFFERED, TUNED_FOR, prune_configs_by=fitting_launches(72), cache_results=True)
@triton.jit(do_not_specialize=["size_class"])
def ska_forward(
    x: tl.tensor,
    weight: tl.tensor,
    y: tl.tensor,
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
    weight += group * weight_stride[1] + row * weight_stride[3] + column * weight_stride[4]
    inside, weights = (), ()
    for tap in tl.static_range(K * K):
        dy, dx = tap // K - K // 2, tap % K - K // 2
        inside += (exists & is_inside(row + dy, column + dx, height, width),)
        weights += (tl.load(weight + tap * weight_stride[2], mask=inside[tap], other=0.0).to(ACC),)
    for _ in tl.range(M, loop_unroll_factor=UNROLL):
        total = tl.zeros((BLOCK,), ACC)
        for tap in tl.static_range(K * K):
            dy, dx = tap // K - K // 2, tap % K - K // 2
            neighbour = x + dy * x_stride[2] + dx * x_stride[3]
            value = tl.load(neighbour, mask=inside[tap], other=0.0).to(ACC)
            total = tl.fma(weights[tap], value, total)
        tl.store(y, total.to(y.dtype.element_ty), mask=exists)
        x += G * tl.cast(x_stride[1], tl.int64)
        y += G * tl.cast(y_stride[1], tl.int64)


@triton.autotune(OFFERED, TUNED_FOR, prune_configs_by=fitting_launches(36), cache_results=True)
@triton.jit(do_not_specialize=["size_class"])
def ska_backward(
    grad: tl.tensor,
    x: tl.tensor,
    weight: tl.tensor,
    grad_x: tl.tensor,
    grad_weight: tl.tensor,
    grad_stride: tl.tuple,
    x_stride: tl.tuple,
    weight_stride: tl.tuple,
    grad_x_stride: tl.tuple,
    grad_weight_stride: tl.tuple,
    length: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    size_class: tl.tensor,
    G: tl.constexpr,
    M: tl.constexpr,
    K: tl.constexpr,
    UNROLL: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write at the program's positions the gradient of the M channels of x and of the weights they share."""
    image, group, row, column, exists = own_positions(length, width, G, CHANNELS_LAST, WIDE, BLOCK)
    x += image * x_stride[0] + (group * x_stride[1] + row * x_stride[2] + column * x_stride[3])
    grad += image * grad_stride[0]
    grad += group * grad_stride[1] + row * grad_stride[2] + column * grad_stride[3]
    grad_x += image * grad_x_stride[0]
    grad_x += group * grad_x_stride[1] + row * grad_x_stride[2] + column * grad_x_stride[3]
    weight += image * weight_stride[0]
    weight += group * weight_stride[1] + row * weight_stride[3] + column * weight_stride[4]
    grad_weight += image * grad_weight_stride[0]
    grad_weight += group * grad_weight_stride[1]
    grad_weight += row * grad_weight_stride[3] + column * grad_weight_stride[4]
    inside, mirrored, sums = (), (), ()
    for tap in tl.static_range(K * K):
        dy, dx = tap // K - K // 2, tap % K - K // 2
        inside += (exists & is_inside(row + dy, column + dx, height, width),)
        # The neighbour uses this pixel through the opposite tap.
        neighbour = weight + dy * weight_stride[3] + dx * weight_stride[4]
        opposite = neighbour + (K * K - 1 - tap) * weight_stride[2]
        mirrored += (tl.load(opposite, mask=inside[tap], other=0.0).to(ACC),)
        sums += (tl.zeros((BLOCK,), ACC),)
    for _ in tl.range(M, loop_unroll_factor=UNROLL):
        total = tl.zeros((BLOCK,), ACC)
        own = tl.load(grad, mask=exists, other=0.0).to(ACC)
        grown = ()
        for tap in tl.static_range(K * K):
            dy, dx = tap // K - K // 2, tap % K - K // 2
            sent = tl.load(grad + dy * grad_stride[2] + dx * grad_stride[3], mask=inside[tap], other=0.0)
            read = tl.load(x + dy * x_stride[2] + dx * x_stride[3], mask=inside[tap], other=0.0)
            total = tl.fma(mirrored[tap], sent.to(ACC), total)
            grown += (tl.fma(own, read.to(ACC), sums[tap]),)
        sums = grown
        tl.store(grad_x, total.to(grad_x.dtype.element_ty), mask=exists)
        x += G * tl.cast(x_stride[1], tl.int64)
        grad += G * tl.cast(grad_stride[1], tl.int64)
        grad_x += G * tl.cast(grad_x_stride[1], tl.int64)
    for tap in tl.static_range(K * K):
        value = sums[tap].to(grad_weight.dtype.element_ty)
        tl.store(grad_weight + tap * grad_weight_stride[2], value, mask=exists)
