import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.dy_conv import DyConv


@pytest.mark.parametrize("temperature", [30.0, 0.5])
def test_each_image_meets_its_own_mixture_of_kernels(temperature):
    torch.manual_seed(0)
    module = DyConv(8, kernel_size=5, num_experts=3, temperature=temperature).double().eval()
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    squeeze, shares = module.module.shares
    shares.set_epoch(0, 30)
    for image, found in zip(x, module(x), strict=True):
        hidden = (squeeze.fc.weight @ image.mean((1, 2)) + squeeze.fc.bias).relu()
        logits = (shares.score.weight @ hidden + shares.score.bias) / temperature
        share = logits.exp() / logits.exp().sum()
        kernel = sum(s * w for s, w in zip(share, module.module.experts.weight, strict=True))
        branch = F.conv2d(image[None], kernel.view(8, 1, 5, 5), padding=2, groups=8)
        torch.testing.assert_close(found, (image + module.bn(branch))[0])


def test_the_bottleneck_is_the_published_quarter():
    assert DyConv(64).module.shares[0].fc.out_features == 16
    assert DyConv(64).module.experts.weight.shape == (4, 64 * 9)
