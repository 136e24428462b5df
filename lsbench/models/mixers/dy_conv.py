"""Dynamic convolution: attention over several depth-wise kernels, per image.

Like CondConv a mixture of kernels that is the same for every pixel of an image, but the weights come from
squeeze-and-excitation and sum to 1.

Source:
    Dynamic Convolution: Attention over Convolution Kernels, CVPR 2020, arXiv:1912.03458; a row of
    LSNet's Table 6, whose kernel size and number of kernels are not stated. The defaults are the dynamic
    convolution paper's: 4 kernels, reduction 4, temperature 30.

Differs from the authors' code:
    timm's CondConv2d mixes and convolves, depth-wise: the only reading that fits the printed FLOPs. The
    temperature falls to 1 over the first 10 epochs, as theirs, but over the first third of a training of less
    than 30. Residual and normalisation around it are those of the LS convolution it replaces. LSNet-T counts
    0.2959 G; LSNet's table has 0.29 G.
"""

from __future__ import annotations

from torch import Tensor, nn

from lsbench.models.blocks import ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive
from lsbench.models.per_image import KernelShares, MixedConv, Squeeze


class DyConv(ResidualNorm):
    """``x + bn(conv(x, sum_e softmax(attend(x) / temperature)_e * kernel_e))``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size of the kernels.
        num_experts: Number of kernels that are mixed.
        reduction: Factor by which the attention's bottleneck is narrower than C.
        temperature: Temperature of the softmax over the kernels at the start of a training; it falls to 1.

    Raises:
        ValueError: If the kernel is even, there is no kernel, or the temperature is not positive.
    """

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 3,
        num_experts: int = 4,
        reduction: int = 4,
        temperature: float = 30.0,
    ) -> None:
        kernel = check_odd_kernel("kernel_size", kernel_size)
        experts = check_positive("num_experts", num_experts)
        hidden = max(dim // check_positive("reduction", reduction), 1)
        shares = nn.Sequential(
            Squeeze(dim, hidden), KernelShares(hidden, experts, first_temperature=temperature)
        )
        super().__init__(dim, _AttendedConv(dim, kernel, experts, shares))


class _AttendedConv(nn.Module):
    def __init__(self, dim: int, kernel: int, num_experts: int, shares: nn.Module) -> None:
        super().__init__()
        self.shares = shares
        self.experts = MixedConv(dim, kernel, num_experts)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.experts(x, self.shares(x))
        return y


MIXER = DyConv
