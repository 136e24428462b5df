import pytest
import torch
from torch.nn import functional as F

from lsbench.models.mixers.involution import Involution


def test_equals_its_definition():
    torch.manual_seed(0)
    module = Involution(8, kernel_size=3, channels_per_group=4, reduction=2).double().eval()
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    kernels = module.module.span(module.module.reduce(x).relu()).view(2, 2, 9, 5, 4)
    patches = F.unfold(x, 3, padding=1).view(2, 4, 2, 9, 5, 4)
    expected = x + module.bn((patches * kernels[:, None]).sum(3).view(x.shape))
    torch.testing.assert_close(module(x), expected)


def test_reduction_divides_the_channels():
    with pytest.raises(ValueError, match="reduction 3 does not divide the 16 channels"):
        Involution(16, reduction=3)
