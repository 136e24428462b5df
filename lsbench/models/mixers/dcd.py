"""Dynamic convolution decomposition: a static kernel, gated, plus a low-rank one.

Instead of mixing whole kernels, each image predicts a gate per channel and a small matrix that two static
matrices expand to a kernel.

Source:
    Revisiting Dynamic Convolution via Matrix Decomposition, ICLR 2021, arXiv:2103.08756, its form for
        depth-wise convolutions; a row of
    LSNet's Table 6, whose kernel size and latent widths are not stated. The defaults are the DCD paper's:
    L = C / 2**floor(log2(sqrt(C))) latent channels, floor(K**2 / 2) latent taps, reduction 16.

Differs from the authors' code:
    Theirs replaces dense convolutions (their 3x3 would count 0.44 G, their 1x1 0.31 G); depth-wise is the
    reading that fits the printed FLOPs. The gate is a sigmoid, and there is no normalisation inside the
    dynamic branch. Residual and normalisation around it are those of the LS convolution it replaces. LSNet-T
    counts 0.2960 G; LSNet's table has 0.29 G.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lsbench.models.blocks import ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive
from lsbench.models.open_sizes import is_open, multiply_rows
from lsbench.models.per_image import Squeeze, convolve_per_image


class DCD(ResidualNorm):
    """``x + bn(conv(x, gate(x) * W + P @ phi(x) @ R.T))``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size K of the kernel.
        reduction: Factor by which the bottleneck of the dynamic branch is narrower than C.

    Raises:
        ValueError: If the kernel is even or the reduction not positive.
    """

    def __init__(self, dim: int, *, kernel_size: int = 3, reduction: int = 16) -> None:
        taps = check_odd_kernel("kernel_size", kernel_size) ** 2
        hidden = max(dim // check_positive("reduction", reduction), 1)
        super().__init__(dim, _DecomposedConv(dim, taps, hidden))


class _DecomposedConv(nn.Module):
    """Weights: `static` (C, T), `expand` P (C, L) and `taps` R (T, L_k); phi is (L, L_k) per image."""

    def __init__(self, dim: int, taps: int, hidden: int) -> None:
        super().__init__()
        channels = max(dim >> (dim.bit_length() - 1) // 2, 1)
        self.latent = channels, max(taps // 2, 1)
        self.squeeze = Squeeze(dim, hidden)
        self.dynamic = nn.Linear(hidden, dim + math.prod(self.latent))
        self.static = nn.Parameter(torch.empty(dim, taps))
        self.expand = nn.Parameter(torch.empty(dim, self.latent[0]))
        self.taps = nn.Parameter(torch.empty(taps, self.latent[1]))
        for weight in (self.static, self.expand, self.taps):
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))  # as for a convolution

    def forward(self, x: Tensor) -> Tensor:
        dim = self.static.shape[0]
        gate, phi = self.dynamic(self.squeeze(x)).split((dim, math.prod(self.latent)), dim=1)
        latent = phi.unflatten(1, self.latent)
        if is_open(x.shape[0]):
            # A product of matrices with one per image asks whether there is one image.
            fused = multiply_rows(self.expand, nn.functional.linear(latent, self.taps))
        else:
            fused = self.expand @ latent @ self.taps.transpose(0, 1)
        return convolve_per_image(x, gate.sigmoid()[..., None] * self.static + fused)


MIXER = DCD
