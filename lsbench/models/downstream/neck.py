"""The neck of detectors and segmenters: a feature pyramid, the authors' or the usual one.

Module names are those of the authors' checkpoints, without a ``conv`` in between.

Source:
    Feature pyramid networks, arXiv:1612.03144. The authors' for maps from stride 8 on adds a map of stride 4
    by a transposed convolution for Mask R-CNN. From stride 4 on, mmdetection's for the same detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class PyramidPlan:
    """The maps of a pyramid.

    Attributes:
        first: Number of the backbone's map that the pyramid begins with.
        upsampled: Whether a finer map is added, by a transposed convolution.
        pooled: Whether a coarser map is added that takes every second pixel of the last one.
        extra: Coarser maps that are added by convolutions of stride 2, from the backbone's last map on.
    """

    first: int = 0
    upsampled: bool = False
    pooled: bool = False
    extra: int = 0

    def strides(self, strides: Sequence[int]) -> tuple[int, ...]:
        """Return the strides of the pyramid's maps for those of the backbone's.

        >>> PyramidPlan(upsampled=True).strides((8, 16, 32, 64))
        (4, 8, 16, 32, 64)
        """
        found = list(strides[self.first :])
        if self.upsampled:
            found.insert(0, found[0] // 2)
        for _ in range(self.pooled + self.extra):
            found.append(found[-1] * 2)
        return tuple(found)


class FeaturePyramid(nn.Module):
    """Maps of one width, each with what the coarser ones know.

    Args:
        in_channels: Channels of the backbone's maps, the finest first.
        channels: Channels of each map of the pyramid.
        plan: Which maps it has.
    """

    def __init__(self, in_channels: Sequence[int], channels: int, plan: PyramidPlan) -> None:
        super().__init__()
        self.plan = plan
        used = in_channels[plan.first :]
        self.lateral_convs = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in used)
        self.fpn_convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in used)
        for index in range(plan.extra):
            width = channels if index else in_channels[-1]
            self.fpn_convs.append(nn.Conv2d(width, channels, 3, stride=2, padding=1))
        self.extra_trans_convs, self.extra_fpn_convs = nn.ModuleList(), nn.ModuleList()
        if plan.upsampled:
            self.extra_trans_convs.append(nn.ConvTranspose2d(channels, channels, 2, stride=2))
            self.extra_fpn_convs.append(nn.Conv2d(channels, channels, 3, padding=1))
        self._init_weights()

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the pyramid's maps (B, channels, H, W) of the backbone's, the finest first."""
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, maps[self.plan.first :], strict=True)]
        for index in range(len(laterals) - 1, 0, -1):
            finer = laterals[index - 1]
            laterals[index - 1] = finer + F.interpolate(
                laterals[index], size=finer.shape[-2:], mode="nearest"
            )
        pyramid = [conv(x) for conv, x in zip(self.fpn_convs, laterals, strict=False)]
        if self.plan.upsampled:
            pyramid.insert(0, self.extra_fpn_convs[0](self.extra_trans_convs[0](laterals[0])))
        if self.plan.pooled:
            pyramid.append(F.max_pool2d(pyramid[-1], 1, stride=2))
        x = maps[-1]
        for conv in list(self.fpn_convs)[len(laterals) :]:
            x = conv(x)
            pyramid.append(x)
        return pyramid

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                zero_bias(module)
            elif isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                zero_bias(module)


def zero_bias(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
    """Set the bias of a layer to zero, if it has one."""
    if module.bias is not None:
        nn.init.zeros_(module.bias)
