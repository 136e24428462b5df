"""Parts shared by several token mixers: LSNet's large-kernel perception and the weights it predicts.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.2, equations 6-8.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import copy
from typing import cast

from torch import Tensor, nn

from lsbench.models.blocks import ConvNorm, do_what_follows
from lsbench.models.checks import check_odd_kernel, count_groups
from lsbench.models.fusion import fuse
from lsbench.models.ops.ska import ska
from lsbench.models.ops.ska_tail import ska_tail
from lsbench.models.ops.train_step import can_join, norm_plus, pointwise


class LKP(nn.Module):
    """Large-kernel perception: half the width, a large depth-wise convolution, then one vector per pixel.

    Point-wise C -> C/2, depth-wise K_L x K_L, point-wise C/2 -> C/2 (normalised, ReLU after the first and the
    last), point-wise C/2 -> `out_chans` with bias, normalised in `groups` groups over pixel and group.

    Args:
        dim: Channels C of the input.
        out_chans: Channels of the output; ``G * K_S**2`` where they are aggregation weights.
        groups: Groups of the last normalisation.
        kernel_large: K_L, odd; None leaves the depth-wise convolution out.
    """

    def __init__(self, dim: int, *, out_chans: int, groups: int, kernel_large: int | None) -> None:
        super().__init__()
        half = dim // 2
        self.cv1 = ConvNorm(dim, half)
        self.act = nn.ReLU(inplace=True)
        self.cv2: nn.Module = nn.Identity()
        if kernel_large is not None:
            self.cv2 = ConvNorm(half, half, check_odd_kernel("kernel_large", kernel_large), groups=half)
        self.cv3 = ConvNorm(half, half)
        self.cv4 = nn.Conv2d(half, out_chans, 1)
        self.norm = nn.GroupNorm(groups, out_chans)

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, out_chans, H, W)."""
        y: Tensor = self.norm(self.raw(x))
        return y

    def raw(self, x: Tensor) -> Tensor:
        """Return the input of the last normalisation, shape (B, out_chans, H, W)."""
        if self.training and do_what_follows(x, (self.cv1, self.cv3), (self.act,)):
            seen = self.cv2(self.cv1(x, has_relu=True))
            return pointwise(self.cv3(seen, has_relu=True), self.cv4)
        y: Tensor = self.cv4(self.act(self.cv3(self.cv2(self.act(self.cv1(x))))))
        return y


class LargeSmallConv(nn.Module):
    """``x + bn(SKA(x, LKP(x)))``: the LS convolution, with or without its large kernel.

    Args:
        dim: Channels C.
        kernel_large: K_L, odd; None leaves the large depth-wise convolution out.
        kernel_small: K_S, odd.
        channels_per_group: Channels that share one aggregation weight (C/G).

    Raises:
        ValueError: If a kernel is even or the groups do not divide C.
    """

    def __init__(
        self, dim: int, *, kernel_large: int | None, kernel_small: int, channels_per_group: int
    ) -> None:
        super().__init__()
        self.groups = count_groups(dim, channels_per_group)
        self.taps = check_odd_kernel("kernel_small", kernel_small) ** 2
        self.lkp = LKP(dim, out_chans=self.groups * self.taps, groups=self.groups, kernel_large=kernel_large)
        self.bn = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the aggregated features plus the input, same shape."""
        aggregated = aggregate(x, self.lkp(x), self.groups)
        if self.training and can_join(aggregated, None, self.bn, x):
            return norm_plus(aggregated, self.bn, x)
        y: Tensor = self.bn(aggregated) + x
        return y

    def fused(self) -> nn.Module:
        """Return the form for evaluation: convolutions fused, everything else one operator."""
        return FusedLargeSmallConv(self)


class FusedLargeSmallConv(nn.Module):
    """The LS convolution in evaluation: fused convolutions, then norms, SKA and residual in one pass.

    Parameters and their names are those of the LS convolution, except for the folded normalisations.
    """

    def __init__(self, conv: LargeSmallConv) -> None:
        super().__init__()
        self.groups = conv.groups
        self.lkp = cast(LKP, fuse(conv.lkp))
        self.bn = copy.deepcopy(conv.bn).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return the aggregated features plus the input, same shape."""
        norm, bn = self.lkp.norm, self.bn
        return ska_tail(
            x,
            self.lkp.raw(x),
            groups=self.groups,
            affine=(norm.weight, norm.bias),
            norm=(bn.weight, bn.bias, cast(Tensor, bn.running_mean), cast(Tensor, bn.running_var)),
            epsilons=(norm.eps, bn.eps),
        )


def aggregate(x_BCHW: Tensor, weight_BDHW: Tensor, groups: int) -> Tensor:
    """Return SKA of `x_BCHW` with predicted weights whose channels are ``D = groups * K*K``."""
    batch, _, height, width = weight_BDHW.shape
    return ska(x_BCHW, weight_BDHW.reshape(batch, groups, -1, height, width))
