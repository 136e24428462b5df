"""CondConv: a depth-wise convolution whose kernel is mixed per image.

Dynamic across images only: every pixel of an image uses the same kernel, a mixture of experts weighted by a
routing of the globally pooled features.

Source:
    CondConv: Conditionally Parameterized Convolutions for Efficient Inference, NeurIPS 2019,
        arXiv:1904.04971; a row of
    LSNet's Table 6, whose kernel size and number of experts are not stated.

Differs from the authors' code:
    timm's CondConv2d is used, depth-wise, with 4 experts of 3x3 (their networks use 8 experts). Residual and
    normalisation around it are those of the LS convolution it replaces. LSNet-T counts 0.2959 G;
    LSNet's table has 0.29 G.
"""

from __future__ import annotations

from torch import Tensor, nn

from lsbench.models.blocks import ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive
from lsbench.models.per_image import MixedConv


class CondConv(ResidualNorm):
    """``x + bn(conv(x, sum_e sigmoid(route(mean(x)))_e * kernel_e))``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size of the kernels.
        num_experts: Number of kernels that are mixed.

    Raises:
        ValueError: If the kernel is even or there is no expert.
    """

    def __init__(self, dim: int, *, kernel_size: int = 3, num_experts: int = 4) -> None:
        kernel = check_odd_kernel("kernel_size", kernel_size)
        super().__init__(dim, _RoutedConv(dim, kernel, check_positive("num_experts", num_experts)))


class _RoutedConv(nn.Module):
    def __init__(self, dim: int, kernel: int, num_experts: int) -> None:
        super().__init__()
        self.route = nn.Linear(dim, num_experts)
        self.experts = MixedConv(dim, kernel, num_experts)

    def forward(self, x: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        y: Tensor = self.experts(x, self.route(pooled).sigmoid())
        return y


MIXER = CondConv
