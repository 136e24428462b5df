"""Involution: each pixel predicts its kernel from itself alone.

Dynamic aggregation as in LS convolution, but the perception sees only the central pixel.

Source:
    Involution: Inverting the Inherence of Convolution for Visual Recognition, CVPR 2021, arXiv:2103.06255; a
        row of
    LSNet's Table 6, whose kernel size and reduction are not stated. The defaults are the involution paper's.

Differs from the authors' code:
    Channels share kernels interleaved (channel c uses kernel c mod G) instead of in runs: the same function
    up to the order of channels. Residual and normalisation around it are those of the LS convolution it
    replaces. LSNet-T counts 0.3151 G; LSNet's table has 0.31 G.
"""

from __future__ import annotations

from torch import Tensor, nn

from lsbench.models.blocks import ConvNorm, ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive, count_groups
from lsbench.models.perception import aggregate


class Involution(ResidualNorm):
    """``x + bn(SKA(x, span(relu(bn(reduce(x))))))``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size K of the predicted kernels.
        channels_per_group: Channels that share one kernel.
        reduction: Factor by which the bottleneck that predicts the kernels is narrower than C.

    Raises:
        ValueError: If the kernel is even, or groups or reduction do not divide C.
    """

    def __init__(
        self, dim: int, *, kernel_size: int = 7, channels_per_group: int = 16, reduction: int = 4
    ) -> None:
        if dim % check_positive("reduction", reduction):
            raise ValueError(f"reduction {reduction} does not divide the {dim} channels of a stage")
        groups = count_groups(dim, channels_per_group)
        taps = check_odd_kernel("kernel_size", kernel_size) ** 2
        super().__init__(dim, _PredictedKernel(dim, groups=groups, taps=taps, hidden=dim // reduction))


class _PredictedKernel(nn.Module):
    def __init__(self, dim: int, *, groups: int, taps: int, hidden: int) -> None:
        super().__init__()
        self.groups = groups
        self.reduce = ConvNorm(dim, hidden)
        self.act = nn.ReLU()
        self.span = nn.Conv2d(hidden, groups * taps, 1)

    def forward(self, x: Tensor) -> Tensor:
        return aggregate(x, self.span(self.act(self.reduce(x))), self.groups)


MIXER = Involution
