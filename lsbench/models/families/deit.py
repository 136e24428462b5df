"""DeiT-T whose self-attention is replaced by a pluggable token mixer.

timm's vision transformer with one change: the self-attention of each block is replaced by the mixer, on the
grid of patches. A mixer of neighbours cannot use a class token, so there is none, and the classifier reads
the mean of all patches, normalised after pooling.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, Table 9: 1.3 G with self-attention, 0.9 G with LS convolution. Counted
    here 0.86 G.

Differs from the authors' code:
    They publish none for this row, and do not say what happens to the class token.
"""

# ruff: noqa: N803, N806 - shape suffixes name the axes
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from timm.models import generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lsbench.models.blocks import to_tokens
from lsbench.models.open_layout import laid_out
from lsbench.models.registration import build_variant, describe_variant, inherit_options
from lsbench.models.token_mixer import create_mixer

MODELS = ("deit_tiny_ls",)

Pooling = Literal["", "avg", "avgmax", "max", "map", "token"]

#: Arguments about self-attention or its extra tokens, or in conflict with a fixed and complete grid.
FIXED = (
    *("num_heads", "qkv_bias", "qk_norm", "scale_attn_norm", "attn_drop_rate", "attn_layer", "fix_init"),
    *("class_token", "reg_tokens", "no_embed_class", "pool_include_prefix", "patch_drop_rate"),
    *("dynamic_img_size", "dynamic_img_pad", "block_fn", "device", "dtype"),
)


@inherit_options(VisionTransformer, fixed=FIXED)
class MixerVisionTransformer(VisionTransformer):
    """timm's vision transformer without class token, with token mixers instead of self-attention.

    Args:
        mixer: Token mixer, by its name in YAML.
        mixer_args: Options of the mixer.
        global_pool: ``"avg"``, ``"max"`` or ``"avgmax"`` over the patches, or another pooling of timm without
            a class token.
        vit_args: Arguments of timm's vision transformer.

    Raises:
        ConfigError: If the mixer or one of its options is wrong.
        ValueError: If the class token is to be pooled.
    """

    def __init__(
        self,
        *,
        mixer: str = "ls_conv",
        mixer_args: Mapping[str, Any] | None = None,
        global_pool: Pooling = "avg",
        **vit_args: Any,
    ) -> None:
        if global_pool == "token":
            raise ValueError("there is no class token to pool: use global_pool 'avg', 'max' or 'avgmax'")
        super().__init__(class_token=False, global_pool=global_pool, **vit_args)
        for block in self.blocks:
            block.attn = GridMixer(
                create_mixer(mixer, self.embed_dim, mixer_args), self.patch_embed.grid_size
            )

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of images; timm's arguments about masks are left out, as mixers take none."""
        logits: Tensor = super().forward(x)
        return logits

    def set_input_size(self, *args: Any, **kwargs: Any) -> None:
        """Change the image or patch size as timm does, and the mixers' grid with it."""
        super().set_input_size(*args, **kwargs)
        for module in self.modules():
            if isinstance(module, GridMixer):
                module.grid = self.patch_embed.grid_size


class GridMixer(nn.Module):
    """A token mixer of maps in the place of a transformer block's self-attention on a sequence.

    Args:
        mixer: Maps (B, C, H, W) to the same shape.
        grid: (H, W), the sequence row by row.
    """

    def __init__(self, mixer: nn.Module, grid: tuple[int, int]) -> None:
        super().__init__()
        self.mixer = mixer
        self.grid = grid

    def forward(self, x_BNC: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """Return the mixed tokens, same shape.

        Raises:
            ValueError: If tokens are masked.
        """
        if attn_mask is not None or is_causal:
            raise ValueError("a token mixer on a grid takes no attention mask")
        with laid_out():
            mixed_BCHW: Tensor = self.mixer(torch.unflatten(x_BNC, 1, self.grid).permute(0, 3, 1, 2))
            return to_tokens(mixed_BCHW)


default_cfgs = generate_default_cfgs(
    {
        "deit_tiny_ls": describe_variant(
            first_conv="patch_embed.proj", classifier="head", fixed_input_size=True
        )
    }
)


@register_model
def deit_tiny_ls(pretrained: bool = False, **model_args: Any) -> MixerVisionTransformer:
    """Return DeiT-T with LS convolution: 0.9 G at 224 px."""
    return build_variant(
        MixerVisionTransformer,
        "deit_tiny_ls",
        model_args,
        pretrained=pretrained,
        size={"patch_size": 16, "embed_dim": 192, "depth": 12, "num_heads": 3},
        feature_cfg={"out_indices": 3, "feature_cls": "getter"},
    )
