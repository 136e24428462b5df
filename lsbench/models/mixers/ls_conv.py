"""LS convolution: large-kernel perception, small-kernel aggregation.

The token mixer of LSNet: a large static kernel reads the surroundings and predicts, for every pixel, the
weights with which a small dynamic kernel aggregates its neighbourhood.

Source:
    LSNet: See Large, Focus Small, CVPR 2025, arXiv:2503.23135, section 3.2-3.3; sizes are studied in Tables 7
        and 8.

Differs from the authors' code:
    Same parameters and outputs. K_L, K_S and C/G are options; theirs are fixed. SKA is an operator with a CPU
    form, theirs is a CUDA-only kernel. LSNet-T counts 0.3193 G; the paper prints 0.31 G. With K_S = 1 it
    counts 0.3103 G; the paper prints 0.30 G: its values are for fused models, which count 0.3163 and 0.3073 G
    here.
"""

from __future__ import annotations

from lsbench.models.perception import LargeSmallConv


class LSConv(LargeSmallConv):
    """LS convolution with residual: ``x + bn(SKA(x, LKP(x)))``.

    Args:
        dim: Channels C of input and output.
        kernel_large: K_L, the odd kernel size of the perception.
        kernel_small: K_S, the odd kernel size of the aggregation.
        channels_per_group: Channels that share one aggregation weight (C/G).
    """

    def __init__(
        self, dim: int, *, kernel_large: int = 7, kernel_small: int = 3, channels_per_group: int = 8
    ) -> None:
        super().__init__(
            dim, kernel_large=kernel_large, kernel_small=kernel_small, channels_per_group=channels_per_group
        )


MIXER = LSConv
