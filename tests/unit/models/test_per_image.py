import pytest
import torch
from torch.nn import functional as F

from lsbench.models.per_image import KernelShares, Squeeze, convolve_per_image


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (4, 7)])
def test_every_image_and_channel_has_its_own_kernel(kernel, size):
    torch.manual_seed(0)
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    kernels = torch.randn(3, 2, kernel * kernel, dtype=torch.float64)
    expected = torch.stack(
        [
            torch.cat(
                [F.conv2d(plane[None], k.view(1, 1, kernel, kernel), padding="same") for plane, k in pairs]
            )
            for pairs in (zip(image, own, strict=True) for image, own in zip(x, kernels, strict=True))
        ]
    )
    torch.testing.assert_close(convolve_per_image(x, kernels), expected)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(convolve_per_image(last, kernels), expected)


def test_squeeze_sees_the_mean_of_the_plane():
    squeeze = Squeeze(4, 3)
    x = torch.randn(2, 4, 5, 6)
    flat = x.mean((2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(squeeze(x), squeeze(flat))
    assert (squeeze(x) >= 0).all()


def test_a_high_temperature_makes_the_shares_equal():
    torch.manual_seed(0)
    z = torch.randn(2, 8)
    shares = KernelShares(8, 4, 1e6)(z)
    torch.testing.assert_close(shares, torch.full((2, 4), 0.25), atol=1e-5, rtol=0)
    torch.testing.assert_close(KernelShares(8, 4, 0.1)(z).sum(1), torch.ones(2))


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        KernelShares(8, 4, temperature)
