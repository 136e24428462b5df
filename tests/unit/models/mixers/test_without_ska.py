import torch

from lsbench.models.mixers.without_ska import WithoutSKA


def test_output_is_a_static_kernel_over_the_perception():
    module = WithoutSKA(16, kernel_small=5).eval()
    perception, static = module.module
    assert static.kernel_size == (5, 5)
    assert static.groups == perception.cv4.out_channels == 16
    x = torch.randn(1, 16, 6, 6)
    torch.testing.assert_close(module(x), x + module.bn(static(perception(x))))
