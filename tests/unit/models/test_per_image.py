import pytest
import torch
from torch.nn import functional as F

from lsbench.models.per_image import KernelShares, NormalisedSqueeze, Squeeze, convolve_per_image


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


@pytest.fixture
def shares():
    torch.manual_seed(0)
    return KernelShares(8, 4, first_temperature=30.0)


def test_a_high_temperature_makes_the_shares_equal():
    torch.manual_seed(0)
    z = torch.randn(2, 8)
    shares = KernelShares(8, 4, first_temperature=1e6)
    torch.testing.assert_close(shares(z), shares.score(z).softmax(1))
    shares.set_epoch(0, 30)
    torch.testing.assert_close(shares(z), torch.full((2, 4), 0.25), atol=1e-5, rtol=0)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        KernelShares(8, 4, first_temperature=temperature)


@pytest.mark.parametrize(
    ("epochs", "points"),
    [
        (100, {0: 30, 1: 27.1, 5: 15.5, 9.5: 2.45, 10: 1, 11: 1, 100: 1}),
        (30, {0: 30, 5: 15.5, 10: 1}),
        (3, {0: 30, 0.5: 15.5, 1: 1, 3: 1}),
        (0.75, {0: 30, 0.125: 15.5, 0.25: 1, 0.75: 1}),
    ],
)
def test_the_temperature_falls_linearly_over_ten_epochs_or_a_third(shares, epochs, points):
    for epoch, expected in points.items():
        shares.set_epoch(epoch, epochs)
        assert float(shares.temperature) == pytest.approx(expected)
        assert shares.conditions() == ({} if expected == 1 else {"temperature": pytest.approx(expected)})


def test_the_temperature_is_in_no_state_dict_and_loaded_weights_have_one(shares):
    shares.set_epoch(0, 30)
    assert list(shares.state_dict()) == ["score.weight", "score.bias"]
    shares.load_state_dict(shares.state_dict())
    assert float(shares.temperature) == 1


def test_weights_of_a_constant_temperature_keep_it(shares, caplog):
    earlier = {"fc.weight": torch.randn(4, 8), "fc.bias": torch.randn(4)}
    shares.load_state_dict(earlier)
    assert list(earlier) == ["fc.weight", "fc.bias"]
    z = torch.randn(3, 8)
    expected = ((z @ earlier["fc.weight"].T + earlier["fc.bias"]) / 30).softmax(1)
    torch.testing.assert_close(shares(z), expected)
    assert shares.conditions() == {"temperature": 30}
    assert "it stays at 30" in caplog.text


def test_a_squeezed_vector_from_before_it_was_normalised_stays_as_it_was():
    torch.manual_seed(0)
    earlier, squeeze, x = Squeeze(4, 3), NormalisedSqueeze(4, 3).eval(), torch.randn(2, 4, 5, 6)
    squeeze.load_state_dict(earlier.state_dict())
    torch.testing.assert_close(squeeze(x), earlier(x))
