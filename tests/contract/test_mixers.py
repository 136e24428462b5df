"""What every token mixer promises, and what each one costs by a formula written by hand.

A new mixer is covered at once; it needs one line in MACS, in the convention of lsbench.models.macs: products
of convolutions and linear layers, 2 per element for a batch normalisation, 5 for a group normalisation, 1 per
input element of a pooling. `c` is the channels, `p` the pixels.
"""

import importlib
import math

import pytest
import torch
from torch import nn

from lsbench.core.registry import MIXERS
from lsbench.models.factory import create_model
from lsbench.models.macs import count_macs
from lsbench.models.token_mixer import create_mixer

DIM = 32
SIZES = [(8, 8), (7, 5), (1, 1)]


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
    # pooling, squeeze to 16, heads for channels, taps and 4 kernels, mixing, convolution, normalisation
    "od_conv": lambda c, p: c * p + 16 * c + 16 * (c + 9 + 4) + 4 * 9 * c + p * (9 * c + 2 * c),
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

mixers = pytest.mark.parametrize("name", MIXERS.names())
sizes = pytest.mark.parametrize("size", SIZES, ids=str)


def build(name):
    torch.manual_seed(0)
    module = create_mixer(name, DIM)
    for (
        layer
    ) in module.modules():  # statistics away from 0 and 1, so that evaluation mode is not a special case
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return module


def images(size, batch=3):
    return torch.randn(batch, DIM, *size, generator=torch.Generator().manual_seed(1))


@mixers
@sizes
def test_shape_and_dtype_are_kept(name, size):
    module, x = build(name), images(size)
    assert module.train()(x).shape == x.shape
    with torch.no_grad():
        y = module.eval()(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert y.isfinite().all()


@mixers
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_gradient_reaches_input_and_every_parameter(name, size, training):
    module, x = build(name).train(training), images(size).requires_grad_()
    weigh = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    (module(x) * weigh).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.any()
    dead = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@mixers
@sizes
def test_evaluation_is_deterministic_and_images_are_independent(name, size):
    module, x = build(name).eval(), images(size)
    with torch.no_grad():
        together = module(x)
        assert torch.equal(module(x), together)
        alone = torch.cat([module(image[None]) for image in x])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


@mixers
def test_channels_last_gives_the_same(name):
    module, x = build(name).eval(), images((6, 5))
    with torch.no_grad():
        expected = module(x)
        found = module.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@mixers
def test_weights_survive_saving_and_loading(name):
    module, x = build(name).eval(), images((4, 4))
    other = create_mixer(name, DIM).eval()
    other.load_state_dict(module.state_dict())
    with torch.no_grad():
        assert torch.equal(other(x), module(x))


@mixers
def test_a_network_with_it_learns_a_batch_by_heart(name):
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer=name, num_classes=4, img_size=32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    x, targets = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 4
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@mixers
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_macs_equal_the_formula(name, size):
    if name not in MACS:
        pytest.fail(f"mixer '{name}' needs its cost by hand: add a line to MACS in {__file__}")
    assert count_macs(build(name), (DIM, *size)).total == MACS[name](DIM, size[0] * size[1])


@mixers
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
