import math

import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.dcd import DCD


def test_equals_its_definition():
    torch.manual_seed(0)
    module = DCD(16, reduction=2).double().eval()
    conv = module.module
    x = torch.randn(2, 16, 5, 4, dtype=torch.float64)
    for image, found in zip(x, module(x), strict=True):
        predicted = conv.dynamic(conv.squeeze(image[None]))[0]
        gate, phi = torch.diag(predicted[:16].sigmoid()), predicted[16:].view(4, 4)
        kernel = gate @ conv.static + conv.expand @ phi @ conv.taps.T
        branch = F.conv2d(image[None], kernel.view(16, 1, 3, 3), padding=1, groups=16)
        torch.testing.assert_close(found, (image + module.bn(branch))[0])


@pytest.mark.parametrize("dim", [1, 32, 48, 64, 96, 128, 192, 256, 320, 384])
def test_latent_width_is_that_of_the_paper(dim):
    published = dim // 2 ** math.floor(math.log2(math.sqrt(dim)))
    assert DCD(dim).module.latent == (published, 9 // 2)


def test_a_kernel_of_one_tap_works():
    x = torch.ones(2, 4, 3, 3)
    assert DCD(4, kernel_size=1)(x).shape == x.shape
