"""LSNet's backbone: stem -> four stages -> head, with a pluggable token mixer in the first three stages.

Inside a stage, blocks of even depth mix tokens with the extra depth-wise convolution and
squeeze-and-excitation, blocks of odd depth with the pluggable token mixer (stages 1-3) or with self-attention
(stage 4).

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.4 and supplement A.2. Module names are those of the authors'
    checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lsbench.models.blocks import Attention, Block, BNLinear, ConvNorm, RepVGGDW, Residual
from lsbench.models.token_mixer import create_mixer

STEM_CONVS = {2: 1, 4: 2, 8: 3}
NUM_STAGES = 4


class LSNet(nn.Module):
    """A vision backbone and classifier for images of one size.

    Args:
        img_size: Height and width of the images in pixels, or (height, width).
        in_chans: Channels of the images.
        num_classes: Classes; 0 leaves the classifier out.
        stem_stride: By how much the stem shrinks the image: 2, 4 or 8, one stride-2 convolution per factor of
            2.
        embed_dims: Channels of each stage.
        depths: Blocks of each stage.
        num_heads: Heads of the attention in stage 4.
        key_dim: Width of one head's queries and keys.
        mixer: Token mixer of the blocks of odd depth in stages 1-3, by its name in YAML.
        mixer_args: Its options.
        has_extra_dw: Whether blocks of even depth have the extra depth-wise convolution (Table 8).
        has_se: Whether blocks of even depth have squeeze-and-excitation (Table 8).
        drop_path_rate: Chance that a residual FFN or attention branch is skipped in training, rising linearly
            from 0 in the first block to this in the last.

    Raises:
        ValueError: If the sizes do not fit together.
        ConfigError: If the mixer or one of its options is wrong.
    """

    def __init__(  # noqa: PLR0913 - timm's names, each its own argument
        self,
        *,
        img_size: int | tuple[int, int] = 224,
        in_chans: int = 3,
        num_classes: int = 1000,
        stem_stride: int = 8,
        embed_dims: Sequence[int] = (64, 128, 256, 384),
        depths: Sequence[int] = (0, 2, 8, 10),
        num_heads: int = 4,
        key_dim: int = 16,
        mixer: str = "ls_conv",
        mixer_args: Mapping[str, Any] | None = None,
        has_extra_dw: bool = True,
        has_se: bool = True,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        _check_sizes(stem_stride, embed_dims, depths)
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = embed_dims[-1]
        self.patch_embed = _stem(in_chans, embed_dims[0], STEM_CONVS[stem_stride])
        resolution = _last_resolution(img_size, STEM_CONVS[stem_stride] + NUM_STAGES - 1)

        def pluggable(dim: int, drop_path: float) -> nn.Module:
            return create_mixer(mixer, dim, mixer_args)

        def attention(dim: int, drop_path: float) -> nn.Module:
            module = Attention(dim, key_dim=key_dim, num_heads=num_heads, resolution=resolution)
            return Residual(module, drop_path)

        drops = _drop_paths(drop_path_rate, depths)
        for index, (dim, stage_drops) in enumerate(zip(embed_dims, drops, strict=True)):
            layers = _downsample(embed_dims[index - 1], dim) if index else []
            odd_mixer = attention if index == NUM_STAGES - 1 else pluggable
            layers += _blocks(dim, stage_drops, odd_mixer, has_extra_dw=has_extra_dw, has_se=has_se)
            setattr(self, f"blocks{index + 1}", nn.Sequential(*layers))
        self.head = self._create_head(num_classes)

    @property
    def stages(self) -> list[nn.Module]:
        """The four stages, each but the first starting with its downsampling."""
        return [self.get_submodule(f"blocks{index + 1}") for index in range(NUM_STAGES)]

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, shape (B, num_features, H, W), from images (B, in_chans, H, W)."""
        x = self.patch_embed(x)
        for stage in self.stages:
            x = stage(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the logits (B, num_classes) of a map, or the pooled features (B, num_features)."""
        pooled = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images (B, in_chans, H, W), shape (B, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one of `num_classes`; 0 removes it. Only average pooling exists.

        Raises:
            ValueError: If another pooling is asked for.
        """
        if global_pool not in (None, "avg"):
            raise ValueError(f"global_pool must be 'avg', got {global_pool!r}")
        self.num_classes = num_classes
        reference = next(self.parameters())
        head = self._create_head(num_classes).train(self.training)
        self.head = head.to(device=reference.device, dtype=reference.dtype)

    def _create_head(self, num_classes: int) -> nn.Module:
        return BNLinear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()


def _stem(in_chans: int, dim: int, convs: int) -> nn.Sequential:
    """Return `convs` overlapping stride-2 convolutions that double the width each time, ReLU between."""
    widths = [in_chans, *(dim // 2 ** (convs - 1 - index) for index in range(convs))]
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [ConvNorm(narrow, wide, 3, stride=2), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _downsample(in_dim: int, dim: int) -> list[nn.Module]:
    return [ConvNorm(in_dim, in_dim, 3, stride=2, groups=in_dim), ConvNorm(in_dim, dim)]


def _blocks(
    dim: int,
    drop_paths: Sequence[float],
    odd_mixer: Callable[[int, float], nn.Module],
    *,
    has_extra_dw: bool,
    has_se: bool,
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for depth, drop in enumerate(drop_paths):
        if depth % 2:
            blocks.append(Block(dim, odd_mixer(dim, drop), has_se=False, drop_path=drop))
        else:
            mixer = RepVGGDW(dim) if has_extra_dw else nn.Identity()
            blocks.append(Block(dim, mixer, has_se=has_se, drop_path=drop))
    return blocks


def _drop_paths(rate: float, depths: Sequence[int]) -> list[list[float]]:
    """Return each block's drop path rate, per stage: linear from 0 to `rate` over all blocks."""
    step = rate / max(sum(depths) - 1, 1)
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [
        [step * (start + block) for block in range(depth)]
        for start, depth in zip(starts, depths, strict=True)
    ]


def _last_resolution(img_size: int | tuple[int, int], halvings: int) -> tuple[int, int]:
    """Return (H, W) of stage 4: each halving rounds up."""
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    return -(-height // 2**halvings), -(-width // 2**halvings)


def _check_sizes(stem_stride: int, embed_dims: Sequence[int], depths: Sequence[int]) -> None:
    if stem_stride not in STEM_CONVS:
        raise ValueError(f"stem_stride must be 2, 4 or 8, got {stem_stride}")
    if len(embed_dims) != NUM_STAGES or len(depths) != NUM_STAGES:
        raise ValueError(
            f"embed_dims and depths need {NUM_STAGES} numbers each, got {list(embed_dims)} and {list(depths)}"
        )
    if embed_dims[0] % (stem_stride // 2):
        raise ValueError(f"embed_dims[0] must be a multiple of {stem_stride // 2}, got {embed_dims[0]}")
