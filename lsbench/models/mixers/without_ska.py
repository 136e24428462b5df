"""LS convolution without the dynamic aggregation.

The perception stays, and its output passes through a static small depth-wise convolution: a large and a small
kernel, both static.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, Table 7, row "w/o SKA".

Differs from the authors' code:
    They publish no code for this row. Interpretation: the last point-wise convolution of the perception gives
    C channels instead of the G * K_S**2 aggregation weights (which would have no use), is normalised in G
    groups as before, and the K_S x K_S depth-wise convolution follows at width C. That is within 0.4 % of the
    full model's MACs at LSNet-T, and LSNet's table has 0.31 G for both.
"""

from __future__ import annotations

from torch import nn

from lsbench.models.blocks import ResidualNorm
from lsbench.models.checks import check_odd_kernel, count_groups
from lsbench.models.perception import LKP


class WithoutSKA(ResidualNorm):
    """``x + bn(static_depthwise(LKP(x)))``.

    Args:
        dim: Channels C of input and output.
        kernel_large: K_L, the odd kernel size of the perception.
        kernel_small: K_S, the odd size of the static kernel.
        channels_per_group: Channels per group of the perception's normalisation (C/G).
    """

    def __init__(
        self, dim: int, *, kernel_large: int = 7, kernel_small: int = 3, channels_per_group: int = 8
    ) -> None:
        groups = count_groups(dim, channels_per_group)
        small = check_odd_kernel("kernel_small", kernel_small)
        perception = LKP(dim, out_chans=dim, groups=groups, kernel_large=kernel_large)
        static = nn.Conv2d(dim, dim, small, padding=small // 2, groups=dim, bias=False)
        super().__init__(dim, nn.Sequential(perception, static))


MIXER = WithoutSKA
