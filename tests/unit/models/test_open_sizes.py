import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lsbench.models import open_sizes
from lsbench.models.open_sizes import is_open

SIZES = [(1, 1), (1, 5), (2, 3), (7, 7), (8, 12), (13, 9)]


def image(size, channels=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, channels, *size, generator=generator, dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("old", [(1, 1), (4, 4), (2, 7)], ids=str)
@pytest.mark.parametrize("new", SIZES, ids=str)
def test_resizing_equals_torchs(old, new):
    x = image(old)
    close(open_sizes.resize_bicubic(x, new), F.interpolate(x, new, mode="bicubic", align_corners=False))


@pytest.mark.parametrize("side", [1, 2, 7])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_means_of_cells_equal_torchs(size, side):
    x = image(size)
    close(open_sizes.average_by_cells(x, side), F.adaptive_avg_pool2d(x, side))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_rolling_equals_torchs(size):
    x = image(size)
    for shifts in ((0, 0), (size[0] // 2, size[1] // 3), size):
        expected = torch.roll(x, [-shift for shift in shifts], (2, 3))
        assert torch.equal(open_sizes.roll_back(x, shifts), expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fourier_transforms_equal_torchs(size):
    x = image(size)
    spectrum = torch.fft.rfft2(x, norm="ortho")
    real, imag = open_sizes.transform_real(x)
    close(torch.complex(real, imag), spectrum)
    # A spectrum of no real map, as a filter makes them.
    other = spectrum * torch.complex(image(real.shape[2:]), image(real.shape[2:]).flip(1))
    found = open_sizes.transform_back(other.real, other.imag, size)
    close(found, torch.fft.irfft2(other, s=size, norm="ortho"))


def test_long_waves_keep_single_precision():
    x = image((1, 500)).float()
    expected = torch.fft.rfft2(x.double(), norm="ortho")
    real, _ = open_sizes.transform_real(x)
    torch.testing.assert_close(real.double(), expected.real, rtol=0, atol=3e-6)


class Asks(nn.Module):
    """Adds 1 if the height is open, and 10 if the width is."""

    def forward(self, x):
        return x + (float(is_open(x.shape[2])) + 10.0 * is_open(x.shape[3]))


def test_sizes_are_open_where_an_exporter_leaves_them():
    x, model = torch.zeros(1, 1, 4, 6), Asks()
    assert not model(x).any()
    program = torch.export.export(model, (x,), dynamic_shapes=({2: torch.export.Dim.DYNAMIC},))
    assert (program.module()(x) == 1).all()
    assert not torch.jit.trace(model, x)(x).any(), "a trace is of one size"


class Shrinks(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, stride=4, padding=1)

    def forward(self, x):
        y = self.conv(x)
        open_sizes.check_traced_maps(x, y)
        return y


@pytest.mark.parametrize("strict", [False, True])
def test_an_example_that_is_too_small_for_any_size_is_refused(strict):
    def export(height, width, axes):
        shapes = (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),)
        x = torch.zeros(1, 1, height, width)
        return torch.export.export(Shrinks(), (x,), dynamic_shapes=shapes, strict=strict).module()

    assert export(4, 12, (3,))(torch.zeros(1, 1, 4, 18)).shape == (1, 1, 1, 5)
    assert export(8, 12, (2, 3))(torch.zeros(1, 1, 16, 18)).shape == (1, 1, 4, 5)
    with pytest.raises(Exception, match=r"more than one pixel along each side, found one of"):
        export(4, 12, (2, 3))
