"""ResNet-50 with all 3x3 convolutions replaced by a pluggable token mixer.

timm's ResNet with one change: the 3x3 convolution of each bottleneck is replaced by the mixer. In the three
blocks that halve the map, LSNet's own depth-wise 3x3 convolution of stride 2 halves it first, so that the
mixer works on the small map; after the mixer it would cost 2.8 G. Normalisation and activation after it stay.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, Table 9: 4.1 G with its own convolutions, 2.6 G with LS convolution.
    Counted here 2.59 G.

Differs from the authors' code:
    They publish none for this row, and do not say how the map is halved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from timm.models import generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, ResNet
from torch import Tensor, nn

from lsbench.models.backbone import check_output_stride
from lsbench.models.blocks import ConvNorm
from lsbench.models.open_layout import laid_out
from lsbench.models.registration import build_variant, describe_variant, inherit_options
from lsbench.models.token_mixer import create_mixer

MODELS = ("resnet50_ls",)

#: Arguments set by the variant, or about the replaced convolution.
FIXED = ("block", "layers", "block_reduce_first", "cardinality", "device", "dtype")


@inherit_options(ResNet, fixed=FIXED)
class MixerResNet(ResNet):
    """timm's ResNet-50 for images of any size, with token mixers instead of 3x3 convolutions.

    Args:
        mixer: Token mixer, by its name in YAML.
        mixer_args: Options of the mixer.
        output_stride: Downsampling factor of the last map, 32; no other one can be had.
        resnet_args: Arguments of timm's ResNet.

    Raises:
        ConfigError: If the mixer or one of its options is wrong.
        ValueError: If another `output_stride` is requested.
    """

    def __init__(
        self,
        *,
        mixer: str = "ls_conv",
        mixer_args: Mapping[str, Any] | None = None,
        output_stride: int | None = None,
        **resnet_args: Any,
    ) -> None:
        check_output_stride(output_stride, 32)
        super().__init__(cast(Any, _Bottleneck), (3, 4, 6, 3), **resnet_args)  # timm's hint names an instance
        for block in self.modules():
            if isinstance(block, Bottleneck):
                dim, (stride, _) = block.conv2.out_channels, block.conv2.stride
                module = create_mixer(mixer, dim, mixer_args)
                block.add_module("conv2", module if stride == 1 else _halved(dim, stride, module))


class _Bottleneck(Bottleneck):
    """timm's bottleneck; in an export, its mixer raises no questions about sizes."""

    def forward(self, x: Tensor) -> Tensor:
        with laid_out():
            y: Tensor = super().forward(x)
        return y


def _halved(dim: int, stride: int, mixer: nn.Module) -> nn.Sequential:
    return nn.Sequential(ConvNorm(dim, dim, 3, stride=stride, groups=dim), mixer)


default_cfgs = generate_default_cfgs(
    {"resnet50_ls": describe_variant(first_conv="conv1", classifier="fc", pool_size=(7, 7))}
)


@register_model
def resnet50_ls(pretrained: bool = False, **model_args: Any) -> MixerResNet:
    """Return ResNet-50 with LS convolution: 2.6 G at 224 px. It takes images of any size."""
    options = {option: value for option, value in model_args.items() if option != "img_size"}
    return build_variant(MixerResNet, "resnet50_ls", options, pretrained=pretrained)
