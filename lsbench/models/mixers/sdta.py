"""SDTA: split depth-wise convolution, then attention across channels.

One part of the channels passes through a depth-wise convolution; then every channel attends to every other in
its head, at a cost linear in the number of pixels.

Source:
    EdgeNeXt: Efficiently Amalgamated CNN-Transformer Architecture for Mobile Vision Applications, ECCVW 2022,
        arXiv:2206.10589, section 3.1, on timm's SplitTransposeBlock; a row of
    LSNet's Table 5, whose settings are not stated. 4 heads are those of EdgeNeXt-XXS and -XS, which are of
        LSNet-T's size. LSNet-T costs 0.3731 G with it at 224 px; LSNet's table has 0.37 G.

Differs from the authors' code:
    The inverted bottleneck that ends their encoder is left to the block's FFN (with both LSNet-T would cost
    0.50 G); its normalisation, scale and skip connection stay. Two parts everywhere, where theirs grow to
    three and four in later stages. Theirs encode positions in the first such encoder only; here each does,
    since a mixer does not know its position.
"""

from __future__ import annotations

from typing import cast

from timm.models.edgenext import PositionalEncodingFourier, SplitTransposeBlock
from torch import Tensor, nn

from lsbench.models.checks import check_positive
from lsbench.models.tracing import one_node


class SDTA(SplitTransposeBlock):
    """``x + scale * norm(z + scale_xca * XCA(norm(z)))`` with ``z = split_depthwise(x) + positions``.

    Args:
        dim: Channels C of input and output.
        num_scales: Parts that the channels are split into; all but the last are convolved, one after another.
        num_heads: Heads of the attention across channels.
        ls_init_value: Initial value of the scales of each channel.

    Raises:
        ValueError: If there is one part only, or parts or heads do not divide C.
    """

    def __init__(
        self, dim: int, *, num_scales: int = 2, num_heads: int = 4, ls_init_value: float = 1e-6
    ) -> None:
        if check_positive("num_scales", num_scales) < 2 or dim % num_scales:
            raise ValueError(f"num_scales must be 2 or more and divide the {dim} channels, got {num_scales}")
        if dim % check_positive("num_heads", num_heads):
            raise ValueError(f"{num_heads} heads do not divide the {dim} channels of a stage")
        super().__init__(dim, num_scales=num_scales, num_heads=num_heads, ls_init_value=ls_init_value)
        self.register_module("mlp", nn.Identity())
        cast(nn.Module, self.pos_embd).__class__ = _Positions


class _Positions(PositionalEncodingFourier):
    """timm's positions; torch.fx records them as a whole."""

    def forward(self, shape: tuple[int, int, int]) -> Tensor:
        return encode_positions(*shape, self)


@one_node
def encode_positions(batch: int, height: int, width: int, encoding: PositionalEncodingFourier) -> Tensor:
    """Return what `encoding` gives for a map, shape (batch, C, height, width)."""
    encoded: Tensor = PositionalEncodingFourier.forward(encoding, (batch, height, width))
    return encoded


MIXER = SDTA
