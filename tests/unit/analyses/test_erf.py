import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.signal import convolve2d
from torch import nn

from lsbench.analyses import ModelPanel, Subject
from lsbench.analyses.erf import ANALYSIS, LEAST, SHARES, area_ratio, compose, contribution


def conv(kernel, in_chans=3, out_chans=2, seed=0):
    module = nn.Conv2d(in_chans, out_chans, kernel, padding=kernel // 2)
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(module.weight, generator=generator)
    return module


def field_of(model, size=15, images=2):
    return contribution(model, torch.rand(images, 3, size, size)).numpy() / images


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_the_field_of_one_convolution_is_exactly_its_kernels_support(kernel):
    module = conv(kernel)
    field = field_of(module)
    first, last = 7 - kernel // 2, 7 + kernel // 2 + 1
    inside = np.zeros((15, 15), dtype=bool)
    inside[first:last, first:last] = True
    assert (field[inside] > 0).all()
    assert (field[~inside] == 0).all()
    weights = module.weight.detach().double().sum(dim=0).abs().sum(dim=0).numpy()
    assert field[first:last, first:last] == pytest.approx(weights, rel=1e-5)


def test_the_field_of_two_stacked_convolutions_is_the_convolution_of_both():
    first, second = conv(5, 3, 4, seed=1), conv(3, 4, 2, seed=2)
    field = field_of(nn.Sequential(first, second))
    a, b = (module.weight.detach().double().numpy() for module in (first, second))
    expected = sum(
        abs(sum(convolve2d(a[middle, colour], b[:, middle].sum(axis=0)) for middle in range(4)))
        for colour in range(3)
    )
    assert field[4:11, 4:11] == pytest.approx(expected, rel=1e-4)
    field[4:11, 4:11] = 0
    assert not field.any()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("shape", [(6, 6), (7, 7), (48, 48), (5, 9)])
def test_the_area_of_a_uniform_field_is_the_stated_fraction(share, shape):
    assert area_ratio(np.full(shape, 0.25), share) == pytest.approx(share)


def test_the_area_of_known_fields():
    point = np.zeros((9, 9))
    point[2, 6] = 3.0
    assert area_ratio(point, 0.99) == pytest.approx(0.99 / 81), "within one pixel, wherever it lies"
    rings = np.zeros((5, 5))
    rings[1:4, 1:4] = 0.5 / 8
    rings[2, 2] = 0.5
    assert area_ratio(rings, 0.5) == pytest.approx(1 / 25)
    assert area_ratio(rings, 0.75) == pytest.approx((1 + 4) / 25)
    assert area_ratio(rings, 1.0) == pytest.approx(9 / 25)
    assert np.isnan(area_ratio(np.zeros((3, 3)), 0.5))


def test_a_wider_kernel_has_a_larger_field():
    images = torch.rand(4, 3, 15, 15)
    pictures = np.zeros((4, 15, 15, 3), dtype=np.float32)
    steps = []
    narrow, wide = (
        ANALYSIS.analyse(
            Subject(conv(kernel), images, pictures, batch_size=3, on_step=lambda *step: steps.append(step))
        )
        for kernel in (3, 7)
    )
    assert steps[:2] == [(3, 4), (4, 4)]
    assert wide.arrays["field"].sum() == pytest.approx(1)
    for metric in (quantity.name for quantity in ANALYSIS.quantities):
        assert wide.numbers[metric] > narrow.numbers[metric] > 0


def test_fields_side_by_side_have_one_scale_and_their_areas():
    even, point = np.full((9, 9), 1 / 81), np.full((9, 9), 0.02 / 80)
    point[4, 4] = 0.98
    figure = Figure()
    compose([ModelPanel("even", {"field": even}), ModelPanel("point", {"field": point})], figure)
    first, second, bar = figure.axes
    assert first.images[0].get_clim() == second.images[0].get_clim() == (1e-4, 1.0)
    assert first.get_xlabel() == "50 %: 50.0 %\n99 %: 99.0 %"
    assert (first.get_title(), first.get_ylabel(), second.get_ylabel()) == ("even", "9 px", "")
    assert bar.get_ylabel() == "contribution / largest"


def test_a_field_alone_has_the_scale_of_any_other():
    figure = Figure()
    compose([ModelPanel("even", {"field": np.ones((9, 9))})], figure)
    assert figure.axes[0].images[0].get_clim() == (LEAST, 1.0)
