"""LSRA: attention of every pixel to a 7x7 summary of the map.

Linear spatial reduction attention: the cost grows with the pixels, not with their square.

Source:
    PVT v2: Improved Baselines with Pyramid Vision Transformer, CVMJ 2022, arXiv:2106.13797, section 3.2, on
        timm's Attention with ``linear_attn``; a row of
    LSNet's Table 5, whose settings are not stated. Pooling to 7x7 and 32 channels per head are PVTv2's.
        LSNet-T costs 0.3761 G with it at 224 px; LSNet's table has 0.37 G.

Differs from the authors' code:
    A head has 32 channels, or their greatest common divisor with the width of the stage. Layer normalisation
    and residual around it are PVTv2's; its MLP is left to the block.
"""

from __future__ import annotations

from math import gcd

from timm.models.pvt_v2 import Attention
from torch import Tensor, nn

from lsbench.models.checks import check_positive
from lsbench.models.open_sizes import average_by_cells, is_open
from lsbench.models.tracing import one_node

#: Side of the pooled map in timm's attention.
CELLS = 7


class LSRA(nn.Module):
    """``x + attention(norm(x), keys and values from pool(norm(x)))``.

    Args:
        dim: Channels C of input and output.
        head_dim: Most channels of a head; its common divisor with C is taken.

    Raises:
        ValueError: If `head_dim` is not a positive whole number.
    """

    def __init__(self, dim: int, *, head_dim: int = 32) -> None:
        super().__init__()
        width = gcd(dim, check_positive("head_dim", head_dim))
        self.norm = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=dim // width, linear_attn=True)
        self.attn.pool = _Pool(CELLS)

    def forward(self, x: Tensor) -> Tensor:
        """Return input plus attended features, same shape."""
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        attended: Tensor = self.attn(tokens, x.shape[2:])
        return x + attended.transpose(1, 2).reshape(x.shape)


class _Pool(nn.AdaptiveAvgPool2d):
    """timm's pooling, also of maps whose size is a variable of a program."""

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, C, CELLS, CELLS)."""
        return pool(x, CELLS)


@one_node
def pool(x: Tensor, side: int) -> Tensor:
    """Return the means of `side` x `side` cells."""
    if is_open(*x.shape[2:]):
        return average_by_cells(x, side)
    return nn.functional.adaptive_avg_pool2d(x, side)


MIXER = LSRA
