import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from lsbench.analyses import ModelPanel, NotApplicableError, Subject
from lsbench.analyses.fourier import ANALYSIS, compose, log_amplitude
from lsbench.models.factory import create_model


@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (6, 9)])
def test_amplitudes_are_those_of_the_defining_sum(shape):
    maps = torch.randn(2, 3, *shape)
    height, width = shape
    rows, cols = np.mgrid[0:height, 0:width]
    found = log_amplitude(maps).numpy()
    assert found.shape == (2, min(shape) // 2 + 1)
    for k in range(found.shape[1]):
        wave = np.exp(-2j * np.pi * (k * rows / height + k * cols / width))
        expected = np.log(abs((maps.numpy() * wave).sum(axis=(2, 3)))).mean(axis=1)
        assert found[:, k] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def analyse(model, size=16, images=3):
    batch = torch.randn(images, 3, size, size, generator=torch.Generator().manual_seed(0))
    pictures = np.zeros((images, size, size, 3), dtype=np.float32)
    return ANALYSIS.analyse(Subject(model, batch, pictures, batch_size=2))


def test_a_smoothing_layer_has_less_of_the_high_frequencies():
    smooth, plain = nn.AvgPool2d(3, 1, 1), nn.Identity()
    [smoothed], [same] = (list(analyse(model).numbers.values()) for model in (smooth, plain))
    assert smoothed < same - 1


def test_a_models_mixers_have_curves_and_a_gain():
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer="ls_conv", num_classes=3, img_size=48).eval()
    found = analyse(model, size=48)
    outputs = [name for name in found.arrays if name.endswith("mixer:out")]
    assert outputs
    assert all(curve[0] == 0 for curve in found.arrays.values())
    ends = [found.arrays[name][-1] for name in outputs]
    starts = [found.arrays[name.replace(":out", ":in")][-1] for name in outputs]
    assert found.numbers["fourier_high_frequency"] == pytest.approx(np.mean(ends))
    assert found.numbers["fourier_gain"] == pytest.approx(np.mean(np.subtract(ends, starts)))


def test_single_pixels_have_no_frequencies():
    with pytest.raises(NotApplicableError, match="larger images"):
        analyse(nn.AdaptiveAvgPool2d(1))


def test_curves_side_by_side_have_the_same_axes_and_none_is_cut_off():
    low, high = (
        {"a:out": np.array([0.0, -1.0])},
        {"a:out": np.array([0.0, 2.0]), "b:out": np.array([0.0, 9.0])},
    )
    figure = Figure()
    compose([ModelPanel("A", low), ModelPanel("B", high)], figure)
    first, second, bar = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] <= -1
    assert first.get_ylim()[1] >= 9
    assert (first.get_xlabel(), first.get_ylabel()) == ("frequency (π)", "relative log amplitude (nat)")
    assert [text.get_text() for text in bar.get_yticklabels()] == ["first", "last"]
