"""Omni-dimensional dynamic convolution: attention over all of a kernel.

Each image weighs the taps, the channels and the kernels as wholes, from one squeezed vector with a head per
dimension.

Source:
    Omni-Dimensional Dynamic Convolution, ICLR 2022, arXiv:2209.07947; a row of
    LSNet's Table 6, whose kernel size and number of kernels are not stated. The defaults are the ODConv
    paper's: 4 kernels, reduction 16 to at least 16 channels.

Differs from the authors' code:
    Depth-wise, the only reading that fits the printed FLOPs; input and output channel are then the same, and
    so is their attention. The temperature is that of the softmax alone, and falls to 1 over the first third
    of a training of less than 30 epochs. Residual and normalisation around it are those of the LS
    convolution it replaces. LSNet-T counts 0.2959 G; LSNet's table has 0.29 G.
"""

# ruff: noqa: N806 - shape suffixes name the axes
from __future__ import annotations

import torch
from torch import Tensor, nn

from lsbench.models.blocks import ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive
from lsbench.models.per_image import KernelShares, NormalisedSqueeze, convolve_per_image

LEAST_HIDDEN = 16


class ODConv(ResidualNorm):
    """``x + bn(conv(x, channel(x) * tap(x) * sum_e share(x)_e * kernel_e))``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size of the kernels.
        num_experts: Number of kernels that are mixed.
        reduction: Factor by which the squeezed vector is shorter than C; its length is at least 16.
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
        reduction: int = 16,
        temperature: float = 30.0,
    ) -> None:
        taps = check_odd_kernel("kernel_size", kernel_size) ** 2
        experts = check_positive("num_experts", num_experts)
        hidden = max(dim // check_positive("reduction", reduction), LEAST_HIDDEN)
        shares = KernelShares(hidden, experts, first_temperature=temperature)
        super().__init__(dim, _AttendedConv(dim, taps, hidden, shares))


class _AttendedConv(nn.Module):
    def __init__(self, dim: int, taps: int, hidden: int, shares: KernelShares) -> None:
        super().__init__()
        self.squeeze = NormalisedSqueeze(dim, hidden)
        self.shares = shares
        self.channel = nn.Linear(hidden, dim)
        self.tap = nn.Linear(hidden, taps)
        bound = taps**-0.5  # as for a depth-wise convolution
        self.experts = nn.Parameter(torch.empty(shares.score.out_features, dim, taps).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        z = self.squeeze(x)
        _, channels, taps = self.experts.shape
        mixed_BCT = (self.shares(z) @ self.experts.flatten(1)).view(-1, channels, taps)
        attention_BCT = self.channel(z).sigmoid()[:, :, None] * self.tap(z).sigmoid()[:, None, :]
        return convolve_per_image(x, attention_BCT * mixed_BCT)


MIXER = ODConv
