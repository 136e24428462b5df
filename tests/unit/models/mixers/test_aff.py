import pytest
import torch

from lsbench.models.mixers.aff import AFF


def complex_linear(layer, spectrum):
    """One group after another, with complex numbers."""
    weight, bias = torch.complex(*layer.weight), torch.complex(layer.bias[:, 0], layer.bias[:, 1])
    groups = spectrum.chunk(len(weight), dim=1)
    mixed = [torch.tensordot(group, weight[g], ([1], [1])) + bias[g] for g, group in enumerate(groups)]
    return torch.cat(mixed, dim=-1).movedim(-1, 1)


def module_and_image(size):
    torch.manual_seed(0)
    module = AFF(12, num_groups=3).double().eval()
    for parameter in module.mask.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module, torch.randn(2, 12, *size, dtype=torch.float64)


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1)], ids=str)
def test_equals_its_definition(size):
    module, x = module_and_image(size)
    spectrum = torch.fft.rfft2(module.norm(x), norm="ortho")
    hidden = complex_linear(module.mask[0], spectrum)
    mask = complex_linear(module.mask[2], torch.complex(hidden.real.relu(), hidden.imag.relu()))
    expected = x + torch.fft.irfft2(mask * spectrum, s=size, norm="ortho")
    torch.testing.assert_close(module(x), expected)


def test_a_constant_mask_is_one_circular_convolution():
    module, x = module_and_image((4, 6))
    torch.nn.init.zeros_(module.mask[2].weight)
    first = module(x) - x
    rolled = module(x.roll((1, 2), (2, 3))) - x.roll((1, 2), (2, 3))
    torch.testing.assert_close(rolled, first.roll((1, 2), (2, 3)))


def test_spectrum_is_precise_under_autocast():
    module, x = module_and_image((6, 5))
    module, x = module.float(), x.float()
    expected = module(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x)
    torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=0.05)


def test_groups_divide_the_channels():
    with pytest.raises(ValueError, match="num_groups 8 does not divide the 12 channels"):
        AFF(12)
