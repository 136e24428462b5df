"""What every token mixer promises, and what each one costs by a formula written by hand.

A new mixer is covered at once; it needs one line in MACS, in the convention of lsbench.models.macs: products
of convolutions and linear layers, 2 per element for a batch normalisation, 5 for a group normalisation, 1 per
input element of a pooling. `c` is the channels, `p` the pixels.
"""

import importlib
import math

import pytest

from lsbench.core.registry import MIXERS
from lsbench.models.macs import count_macs
from lsbench.testing.test_mixer import *  # noqa: F403 - every promise is tested here
from lsbench.testing.test_mixer import DIM, SIZES, build, images


def perception_macs(c, p, *, out, large):
    """Point-wise C -> C/2 -> C/2 -> out, the depth-wise large kernel, three batch norms, one group norm."""
    half = c // 2
    norms = 2 * half * (3 if large else 2) + 5 * out
    return p * (c * half + large**2 * half + half * half + half * out + norms)


MACS = {
    "identity": lambda c, p: 0,
    "ls_conv": lambda c, p: perception_macs(c, p, out=9 * c // 8, large=7) + p * (9 * c + 2 * c),
    "without_lkp": lambda c, p: perception_macs(c, p, out=9 * c // 8, large=0) + p * (9 * c + 2 * c),
    "without_ska": lambda c, p: perception_macs(c, p, out=c, large=7) + p * (9 * c + 2 * c),
    "large_small_static": lambda c, p: p * (49 * c + 9 * c + 3 * 2 * c),
    "involution": lambda c, p: p * (c * c // 4 + 2 * c // 4 + c // 4 * 49 * c // 16 + 49 * c + 2 * c),
    # pooling, routing, mixing of 4 kernels, convolution, normalisation
    "cond_conv": lambda c, p: c * p + c * 4 + 4 * 9 * c + p * (9 * c + 2 * c),
    # pooling, two layers of attention, mixing of 4 kernels, convolution, normalisation
    "dy_conv": lambda c, p: c * p + c * c // 4 + c // 4 * 4 + 4 * 9 * c + p * (9 * c + 2 * c),
    # pooling, two layers to C gates and a C/4 x 4 matrix (at C = 32), expansions, convolution, normalisation
    "dcd": lambda c, p: (
        c * p + c * c // 16 + c // 16 * (c + c // 4 * 4) + c * c // 4 * 4 + c * 4 * 9 + p * (9 * c + 2 * c)
    ),
    # pooling, squeeze to 16 and its norm, heads for channels, taps, 4 kernels, mixing, convolution, norm
    "od_conv": lambda c, p: c * p + 16 * c + 2 * 16 + 16 * (c + 9 + 4) + 4 * 9 * c + p * (9 * c + 2 * c),
    # key, value, weights from 2C, aggregation, two normalisations; then the fusion, once per image
    "cot": lambda c, p: (
        p * (9 * c * c // 4 + 2 * c + c * c + 2 * c + 2 * c * c // 2 + 2 * c // 2)
        + p * (c // 2 * 9 * c // 8 + 5 * 9 * c // 8 + 9 * c + 2 * c + 2 * c)
        + (32 * c + 2 * 32 + 32 * 2 * c)
    ),
    # layer norm, queries, keys, values and output, both products: 8x8 is 4 windows of 4x4, 7x5 is one
    "swin": lambda c, p: p * (5 * c + 4 * c * c + 2 * {64: 16, 35: 35}[p] * c),
    # one half convolved, 64 position features, layer norm, q, k, v and output, C x C/4 scores, layer norm
    "sdta": lambda c, p: p * (9 * c // 2 + 64 * c + 5 * c + 4 * c * c + 2 * c * c // 4 + 5 * c),
    # layer norm, queries and output, products with 49; pooling; the 49: convolution, norm, keys and values
    "lsra": lambda c, p: p * (5 * c + 2 * c * c + 2 * 49 * c) + c * p + 49 * (c * c + 5 * c + 2 * c * c),
    # 3x3, 1x1, then four normalisations
    "rep_mixer": lambda c, p: p * (9 * c + c + 4 * 2 * c),
    # per head of width C/4: q, k, v and norm, depth-wise on q and norm, both products; then output and norm
    "cga": lambda c, p: (
        p * 4 * ((c // 4 + 2) * (32 + c // 4) + 2 * 16 + {64: 16, 35: 35}[p] * (16 + c // 4))
        + p * ((49 + 25 + 9 + 9) * 16 + (c + 2) * c)
    ),
    # group norm; per frequency two layers of 8 groups, 4 real products per complex one
    # norm, transform and its inverse, two complex linear layers on half of the frequencies
    "aff": lambda c, p: (
        5 * c * p + 2 * round(1.25 * c * p * math.log2(p)) + {64: 8 * 5, 35: 7 * 3}[p] * 2 * 4 * c * c // 8
    ),
}


@pytest.fixture(params=MIXERS.own_names())
def name(request):
    return request.param


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_macs_equal_the_formula(name, size):
    if name not in MACS:
        pytest.fail(f"mixer '{name}' needs its cost by hand: add a line to MACS in {__file__}")
    assert count_macs(build(name), (DIM, *size)).total == MACS[name](DIM, size[0] * size[1])


def test_the_file_says_where_it_comes_from(name):
    text = importlib.import_module(f"{MIXERS.package}.{name}").__doc__ or ""
    assert len(MIXERS.title(name)) <= 80
    assert "Source:" in text
    assert "arXiv:" in text
    assert "Differs from the authors' code:" in text


def test_identity_is_free_and_changes_nothing():
    module, x = build("identity"), images((7, 5))
    assert module(x) is x
    count = count_macs(module, (DIM, 7, 5))
    assert (count.total, count.by_operator, count.uncounted) == (0, {}, {})
