"""LS convolution without the large kernel.

Only the large depth-wise convolution inside the perception is removed; its point-wise convolutions and the
aggregation stay, so the weights of a pixel come from that pixel alone.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, Table 7, row "w/o LKP".

Differs from the authors' code:
    They publish no code for this row. The normalisation that follows the removed convolution is removed with
    it.
"""

from __future__ import annotations

from lsbench.models.perception import LargeSmallConv


class WithoutLKP(LargeSmallConv):
    """``x + bn(SKA(x, LKP(x)))`` with a perception of one pixel.

    Args:
        dim: Channels C of input and output.
        kernel_small: K_S, the odd kernel size of the aggregation.
        channels_per_group: Channels that share one aggregation weight (C/G).
    """

    def __init__(self, dim: int, *, kernel_small: int = 3, channels_per_group: int = 8) -> None:
        super().__init__(
            dim, kernel_large=None, kernel_small=kernel_small, channels_per_group=channels_per_group
        )


MIXER = WithoutLKP
