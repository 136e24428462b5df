import math

import pytest
import torch
from torch.library import opcheck
from torch.nn import functional as F

from lsbench.models.ops.ska import ska


def ska_reference(x, weight):
    """The definition, slowly: unfold every neighbourhood, then weigh it."""
    batch, channels, height, width = x.shape
    groups, taps = weight.shape[1:3]
    kernel = math.isqrt(taps)
    patches = F.unfold(x, kernel, padding=kernel // 2).view(batch, channels, taps, height, width)
    expanded = torch.stack([weight[:, c % groups] for c in range(channels)], dim=1)
    return (patches * expanded).sum(2)


def inputs(*, batch=2, channels=6, groups=3, kernel=3, height=5, width=4, dtype=torch.float64, grad=False):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(batch, groups, kernel**2, height, width, generator=generator, dtype=torch.float64)
    return x.to(dtype).requires_grad_(grad), weight.to(dtype).requires_grad_(grad)


SIZES = [(5, 4), (1, 1), (1, 3), (4, 1), (2, 2), (7, 7)]


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("channels", "groups"), [(6, 3), (4, 1), (4, 4)])
def test_equals_definition_with_gradients(kernel, height, width, channels, groups):
    sizes = {"kernel": kernel, "height": height, "width": width, "channels": channels, "groups": groups}
    x, weight = inputs(**sizes, grad=True)
    found, expected = ska(x, weight), ska_reference(x, weight)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(expected)
    for got, wanted in zip(
        torch.autograd.grad(found, (x, weight), upstream),
        torch.autograd.grad(expected, (x, weight), upstream),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize(("kernel", "height", "width"), [(1, 2, 3), (3, 3, 2), (5, 2, 3), (3, 1, 1)])
def test_gradcheck(kernel, height, width):
    x, weight = inputs(batch=1, channels=4, groups=2, kernel=kernel, height=height, width=width, grad=True)
    assert torch.autograd.gradcheck(ska, (x, weight))


@pytest.mark.parametrize("kernel", [1, 3])
def test_opcheck_of_both_operators(kernel):
    x, weight = inputs(kernel=kernel, dtype=torch.float32, grad=True)
    opcheck(torch.ops.lsbench.ska, (x, weight))
    detached = (torch.randn_like(x), x.detach(), weight.detach())
    opcheck(torch.ops.lsbench.ska_backward, detached)


def test_channels_share_weights_interleaved():
    x = torch.ones(1, 4, 1, 1)
    weight = torch.tensor([10.0, 20.0]).view(1, 2, 1, 1, 1)
    assert ska(x, weight).flatten().tolist() == [10, 20, 10, 20]


def test_static_weights_are_a_depthwise_convolution():
    x, _ = inputs(channels=4)
    kernel = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    weight = kernel.view(1, 4, 9, 1, 1).expand(2, 4, 9, 5, 4)
    torch.testing.assert_close(ska(x, weight), F.conv2d(x, kernel, padding=1, groups=4))


def test_any_memory_layout_gives_a_contiguous_result():
    x, weight = inputs()
    expected = ska(x, weight)
    found = ska(
        x.contiguous(memory_format=torch.channels_last), weight.transpose(3, 4).contiguous().transpose(3, 4)
    )
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_accumulates_in_float32(dtype):
    x, weight = (t.to(dtype) for t in inputs())
    found = ska(x, weight)
    assert found.dtype == dtype
    torch.testing.assert_close(found, ska_reference(x.float(), weight.float()).to(dtype))


def test_no_overflow_inside_a_half_precision_sum():
    weight = torch.zeros(1, 1, 9, 1, 2, dtype=torch.float16)
    weight[0, 0, 4:6, 0, 0] = torch.tensor([300.0, -299.0])
    x = torch.full((1, 1, 1, 2), 300.0, dtype=torch.float16)
    assert ska(x, weight)[0, 0, 0, 0].item() == 300


def test_what_does_not_fit_is_refused_in_one_line():
    x, weight = inputs()
    with pytest.raises(ValueError, match="expects x"):
        ska(x[0], weight)
    with pytest.raises(ValueError, match="must agree"):
        ska(x[:1], weight)
    with pytest.raises(ValueError, match="do not divide"):
        ska(x[:, :5], weight)
    with pytest.raises(ValueError, match="odd K"):
        ska(x, weight[:, :, :4])
    with pytest.raises(TypeError, match="one floating dtype"):
        ska(x.float(), weight)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_cuda_agrees_with_the_definition(dtype):
    x, weight = inputs(height=14, width=14)
    expected = ska_reference(x, weight)
    y = ska(x.to("cuda", dtype), weight.to("cuda", dtype)).double().cpu()
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-5 if dtype == torch.float32 else 0.1)


@pytest.mark.gpu
def test_cuda_gradients_agree_with_the_cpu():
    results = []
    for device in ("cpu", "cuda"):
        x, weight = (t.detach().to(device).requires_grad_() for t in inputs(height=9, width=6))
        ska(x, weight).square().sum().backward()
        results.append((x.grad.cpu(), weight.grad.cpu()))
    torch.testing.assert_close(results[0], results[1])
