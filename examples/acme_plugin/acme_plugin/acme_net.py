"""AcmeNet: three convolutions and a linear layer, for small images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn


class AcmeNet(nn.Module):
    """A plain stack of convolutions for images of any size.

    Args:
        num_classes: Number of classes.
        in_chans: Number of image channels.
        width: Number of output channels of the first convolution.
    """

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, width: int = 16) -> None:
        super().__init__()
        self.num_classes, self.num_features = num_classes, 4 * width
        widths = (in_chans, width, 2 * width, 4 * width)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.GELU())
                for a, b in pairwise(widths)
            )
        )
        self.head = nn.Linear(4 * width, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last feature map."""
        features: Tensor = self.stages(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (N, K)."""
        logits: Tensor = self.head(self.forward_features(x).mean(dim=(2, 3)))
        return logits


default_cfgs = generate_default_cfgs(
    {
        "acme_net": {
            "num_classes": 1000,
            "input_size": (3, 32, 32),
            "first_conv": "stages.0.0",
            "classifier": "head",
        }
    }
)


@register_model
def acme_net(pretrained: bool = False, **model_args: Any) -> AcmeNet:
    """Return AcmeNet."""
    net: AcmeNet = build_model_with_cfg(AcmeNet, "acme_net", pretrained, **model_args)
    return net
