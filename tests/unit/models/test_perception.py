import pytest
import torch
from torch import nn

from lsbench.models.ops.ska import ska
from lsbench.models.perception import LKP, LargeSmallConv, aggregate


def test_perception_gives_one_vector_per_pixel_from_a_large_window():
    module = LKP(16, out_chans=18, groups=2, kernel_large=5).eval()
    x = torch.randn(1, 16, 9, 9, requires_grad=True)
    y = module.cv4(module.cv3(module.cv2(module.act(module.cv1(x)))))
    (gradient,) = torch.autograd.grad(y[0, :, 4, 4].sum(), x)
    seen = gradient.abs().sum((0, 1)) > 0
    assert seen[2:7, 2:7].any()
    assert not seen[:2].any()
    assert module(x).shape == (1, 18, 9, 9)


def test_weights_are_normalised_per_group():
    module = LKP(16, out_chans=18, groups=2, kernel_large=None)
    weights = module(torch.randn(3, 16, 6, 6)).view(3, 2, -1)
    torch.testing.assert_close(weights.mean(2), torch.zeros(3, 2), atol=1e-5, rtol=0)


def test_weight_channels_are_taps_of_one_group_after_the_other():
    x, weight = torch.randn(2, 4, 3, 3), torch.randn(2, 18, 3, 3)
    assert torch.equal(aggregate(x, weight, groups=2), ska(x, weight.view(2, 2, 9, 3, 3)))
    with pytest.raises(TypeError, match="one floating dtype"):
        aggregate(x.bfloat16(), weight, groups=2)


def settled(kernel_large):
    """An LS convolution whose statistics are away from 0 and 1."""
    torch.manual_seed(0)
    module = LargeSmallConv(32, kernel_large=kernel_large, kernel_small=3, channels_per_group=4).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias)
    return module


@pytest.mark.parametrize("kernel_large", [7, None])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_fused_form_does_the_same(kernel_large, memory_format):
    module = settled(kernel_large)
    fused = module.fused().to(memory_format=memory_format)
    x = torch.randn(2, 32, 9, 6).contiguous(memory_format=memory_format)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), module(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fused(x), module(x), rtol=1e-5, atol=1e-5)
    norms = [name for name, layer in fused.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms == ["bn"]


def test_works_under_autocast():
    module = LargeSmallConv(16, kernel_large=7, kernel_small=3, channels_per_group=8)
    x = torch.randn(2, 16, 5, 5, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = module(x)
    y.float().sum().backward()
    assert x.grad.isfinite().all()
