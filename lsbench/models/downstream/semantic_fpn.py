"""Semantic FPN, as the authors train and test it.

Shapes: B batch, K classes, H, W padded images.

Source:
    Panoptic feature pyramid networks, arXiv:1901.02446, with the settings and the loss of mmsegmentation
    0.30: the mean over all pixels, where ignored ones count as zero. Module names of the head are those of
    the authors' checkpoints.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from lsbench.detection.settings import SemanticFPNSettings
from lsbench.models.downstream.boxes import precise
from lsbench.models.downstream.model import DownstreamModel
from lsbench.models.downstream.neck import PyramidPlan, zero_bias
from lsbench.models.downstream.targets import Size
from lsbench.models.folding import folded

#: The label of pixels that do not count.
IGNORED = 255


class SemanticHead(nn.Module):
    """The sum of all maps at the finest one's size, and a classifier of its pixels.

    Args:
        in_channels: Channels of the maps.
        channels: Channels of the head.
        strides: Strides of the maps.
        num_classes: Classes.
        dropout: Probability of dropping a channel before the classifier in training.
    """

    def __init__(
        self, in_channels: int, channels: int, strides: Sequence[int], num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        self.dropout = nn.Dropout2d(dropout)
        self.scale_heads = nn.ModuleList(
            _scale_head(in_channels, channels, (stride // strides[0]).bit_length() - 1) for stride in strides
        )
        for module in self.scale_heads.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        zero_bias(self.conv_seg)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the logits (B, K, h, w) at the finest map's size."""
        total = self.scale_heads[0](maps[0])
        for head, x in zip(list(self.scale_heads)[1:], maps[1:], strict=True):
            total = total + _resize(head(x), total.shape[-2:])
        logits: Tensor = self.conv_seg(self.dropout(total))
        return logits


class SemanticFPN(DownstreamModel):
    """The class of each pixel.

    Its images are stretched to multiples of 32 pixels, not padded: the whole input becomes the label map.

    Args:
        backbone: timm's feature extractor around a model.
        settings: Sizes.
        num_classes: Classes.
    """

    plans: ClassVar[Mapping[int, PyramidPlan]] = {4: PyramidPlan(), 8: PyramidPlan()}

    def __init__(self, backbone: nn.Module, settings: SemanticFPNSettings, num_classes: int) -> None:
        super().__init__(backbone, settings, num_classes)
        self.decode_head = SemanticHead(
            settings.channels, settings.head_channels, self.strides, num_classes, settings.dropout
        )

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss of normalised images (B, 3, H, W).

        Args:
            images: The images.
            targets: The class of each pixel from 0, or 255 where it does not count, shape (B, H, W).

        Returns:
            ``loss_ce``, the cross entropy.
        """
        return {"loss_ce": segmentation_loss(self.decode_head(self.pyramid(images)), targets.long())}

    def outputs(self, images: Tensor) -> list[Tensor]:
        """Return the logits (B, K, H, W) of images (B, 3, H, W), at their size."""
        return [_resize(self.decode_head(self.pyramid(images)), images.shape[-2:])]

    def _predict(
        self, images: Tensor, image_sizes: list[Size], original_sizes: list[Size]
    ) -> list[dict[str, Tensor]]:
        logits = precise(self.decode_head(self.pyramid(images)))
        # In two steps: to the input's size, and then to the file's. The authors stretch images to multiples
        # of 32 pixels instead of padding them, so that the whole input is the image.
        return [
            {"label_map": _resize(_resize(one[None], images.shape[-2:]), size)[0].argmax(0)}
            for one, size in zip(logits, original_sizes, strict=True)
        ]


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of logits (B, K, h, w), resized to the labels (B, H, W), over *all* pixels.

    Ignored pixels add nothing to the sum, but count in the number it is divided by.

    >>> import torch
    >>> labels = torch.tensor([[[0, 255]]])
    >>> round(float(segmentation_loss(torch.zeros(1, 150, 1, 2), labels)), 4)  # half of ln 150
    2.5053
    """
    resized = _resize(precise(logits), labels.shape[-2:])
    return F.cross_entropy(resized, labels, ignore_index=IGNORED, reduction="sum") / labels.numel()


class _ConvNormReLU(nn.Sequential):
    """A convolution of 3 x 3 (`conv`), a batch normalisation (`bn`) and a ReLU (`activate`)."""

    conv: nn.Conv2d
    bn: nn.BatchNorm2d
    activate: nn.ReLU

    def __init__(self, in_channels: int, channels: int) -> None:
        conv = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        super().__init__(OrderedDict(conv=conv, bn=nn.BatchNorm2d(channels), activate=nn.ReLU(inplace=True)))

    def fused(self) -> nn.Sequential:
        """Return the equivalent convolution with bias and the ReLU for evaluation mode, folded in float64."""
        return nn.Sequential(folded(self.conv, self.bn), self.activate)


def _scale_head(in_channels: int, channels: int, doublings: int) -> nn.Sequential:
    """Return the convolutions that bring one map to the finest one's size, doubling it after each."""
    layers: list[nn.Module] = []
    for index in range(max(doublings, 1)):
        layers.append(_ConvNormReLU(in_channels if index == 0 else channels, channels))
        if doublings:
            layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    return nn.Sequential(*layers)


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
