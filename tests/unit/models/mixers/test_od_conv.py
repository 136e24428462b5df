import torch
from torch.nn import functional as F

from lsbench.models.mixers.od_conv import ODConv


def test_equals_its_definition():
    torch.manual_seed(0)
    module = ODConv(8, num_experts=3, temperature=2.0).double().eval()
    conv = module.module
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    for image, found in zip(x, module(x), strict=True):
        z = (conv.squeeze.fc.weight @ image.mean((1, 2)) + conv.squeeze.fc.bias).relu()
        shares = ((conv.shares.fc.weight @ z + conv.shares.fc.bias) / 2).softmax(0)
        kernel = sum(share * expert for share, expert in zip(shares, conv.experts, strict=True))
        kernel = kernel.view(8, 1, 3, 3) * conv.tap(z).sigmoid().view(3, 3)
        # The attention over channels is the input's, as the paper writes it.
        scaled = image * conv.channel(z).sigmoid()[:, None, None]
        branch = F.conv2d(scaled[None], kernel, padding=1, groups=8)
        torch.testing.assert_close(found, (image + module.bn(branch))[0])


def test_the_squeezed_vector_has_sixteen_numbers_at_least():
    assert ODConv(32).module.squeeze.fc.out_features == 16
    assert ODConv(384).module.squeeze.fc.out_features == 24
