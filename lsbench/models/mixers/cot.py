"""Contextual Transformer: static context guides a local dynamic aggregation.

A 3x3 convolution encodes the neighbourhood of each key; with the query it predicts the weights that
aggregate the values, and both contexts are fused.

Source:
    Contextual Transformer Networks for Visual Recognition, TPAMI 2022, arXiv:2107.12292; a row of
    LSNet's Table 6, whose settings are not stated. The defaults are those of the authors' code: 4 groups in
    the key's convolution, a bottleneck of C/2, 8 channels per aggregation weight.

Differs from the authors' code:
    Their fusion is that of selective kernels, for which timm's SelectiveKernelAttn is used, C/2 wide (at
    least 32), with a bias of its logits as theirs; their other bias, cancelled by the normalisation after it,
    is left out. Channels share weights interleaved (channel c uses weight c mod G) instead of in runs: the
    same function up to the order of channels. Residual and normalisation around it are those of the LS
    convolution it replaces. LSNet-T counts 0.3744 G; LSNet's table has 0.37 G.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.selective_kernel import SelectiveKernelAttn
from torch import Tensor, nn

from lsbench.models.blocks import ConvNorm, ResidualNorm
from lsbench.models.checks import check_odd_kernel, check_positive, count_groups
from lsbench.models.earlier_weights import UpgradesWeights
from lsbench.models.perception import aggregate

LEAST_FUSION = 32


class _Fusion(UpgradesWeights, SelectiveKernelAttn):
    """timm's attention over two contexts, with a bias; weights from before it had one get zeros."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, attn_channels=max(dim // 2, LEAST_FUSION))
        self.fc_select = nn.Conv2d(self.fc_select.in_channels, self.fc_select.out_channels, 1)

    def upgrade_weights(self, state: dict[str, Any], prefix: str) -> None:
        if (weight := state.get(f"{prefix}fc_select.weight")) is not None:
            state.setdefault(f"{prefix}fc_select.bias", weight.new_zeros(len(weight)))


class CoT(ResidualNorm):
    """``x + bn(fuse(k, silu(bn(SKA(v, weights([k, x]))))))`` with ``k = key(x)``, ``v = value(x)``.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size of the key's convolution and of the aggregation.
        key_groups: Groups of the key's convolution.
        channels_per_group: Channels that share one aggregation weight.
        reduction: Factor by which the bottleneck that predicts the weights is narrower than C.

    Raises:
        ValueError: If the kernel is even, or groups or reduction do not divide C.
    """

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 3,
        key_groups: int = 4,
        channels_per_group: int = 8,
        reduction: int = 2,
    ) -> None:
        for name, value in {"key_groups": key_groups, "reduction": reduction}.items():
            if dim % check_positive(name, value):
                raise ValueError(f"{name} {value} does not divide the {dim} channels of a stage")
        kernel = check_odd_kernel("kernel_size", kernel_size)
        groups = count_groups(dim, channels_per_group)
        key = nn.Sequential(ConvNorm(dim, dim, kernel, groups=key_groups), nn.ReLU())
        weights = _weights(dim, groups=groups, taps=kernel**2, hidden=dim // reduction)
        super().__init__(dim, _ContextualAttention(dim, groups, key, weights))


def _weights(dim: int, *, groups: int, taps: int, hidden: int) -> nn.Sequential:
    """Return the predictor of the aggregation weights from keys and queries, side by side (2C channels)."""
    return nn.Sequential(
        ConvNorm(2 * dim, hidden),
        nn.ReLU(),
        nn.Conv2d(hidden, groups * taps, 1),
        nn.GroupNorm(groups, groups * taps),
    )


class _ContextualAttention(nn.Module):
    def __init__(self, dim: int, groups: int, key: nn.Module, weights: nn.Module) -> None:
        super().__init__()
        self.groups = groups
        self.key = key
        self.value = ConvNorm(dim, dim)
        self.weights = weights
        self.norm = nn.BatchNorm2d(dim)
        self.act = nn.SiLU()
        self.share = _Fusion(dim)

    def forward(self, x: Tensor) -> Tensor:
        key = self.key(x)
        weights = self.weights(torch.cat([key, x], dim=1))
        dynamic = self.act(self.norm(aggregate(self.value(x), weights, self.groups)))
        contexts = torch.stack([key, dynamic], dim=1)
        y: Tensor = (contexts * self.share(contexts)).sum(dim=1)
        return y


MIXER = CoT
