"""The LSNet family: T, S and B of the paper, and a small sibling for small images.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement Table 2. ``lsnet_nano`` is not in the paper.
"""

from __future__ import annotations

from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from lsbench.core.errors import ConfigError
from lsbench.models.backbone import LSNet
from lsbench.models.token_mixer import option_problems

SIZES: dict[str, dict[str, Any]] = {
    "lsnet_t": {"embed_dims": (64, 128, 256, 384), "depths": (0, 2, 8, 10), "num_heads": 4},
    "lsnet_s": {"embed_dims": (96, 192, 320, 448), "depths": (1, 2, 8, 10), "num_heads": 4},
    "lsnet_b": {"embed_dims": (128, 256, 384, 512), "depths": (4, 6, 8, 10), "num_heads": 4},
    # For images of 28-48 px: LS convolution on maps of 8x8, 4x4 and 2x2 (at 32 px). At equal CPU time
    # stride 4 with more epochs learns more than stride 2 (87.2 against 86.5 % on held-out garments).
    "lsnet_nano": {
        "embed_dims": (32, 48, 96, 128),
        "depths": (2, 2, 2, 2),
        "num_heads": 4,
        "stem_stride": 4,
        "img_size": 32,
    },
}
MODELS = tuple(SIZES)


def _pretrained_cfg(img_size: int) -> dict[str, Any]:
    return {
        "num_classes": 1000,
        "input_size": (3, img_size, img_size),
        "crop_pct": 0.9 if img_size >= 160 else 1.0,
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": "patch_embed.0.c",
        "classifier": "head.l",
    }


default_cfgs = generate_default_cfgs(
    {name: _pretrained_cfg(size.get("img_size", 224)) for name, size in SIZES.items()}
)


def _create(name: str, pretrained: bool, **model_args: Any) -> LSNet:
    if pretrained:
        raise ConfigError(f"model '{name}': no pretrained weights come with lsbench; leave `pretrained` out")
    cfg = {key: model_args.pop(key) for key in _CFG_KEYS if key in model_args}
    problems = option_problems(LSNet, model_args, owner=f"model '{name}'")
    if problems:
        raise ConfigError(problems)
    try:
        model: LSNet = build_model_with_cfg(LSNet, name, False, **cfg, **{**SIZES[name], **model_args})
    except ValueError as error:
        raise ConfigError(f"model '{name}': {error}") from error
    return model


_CFG_KEYS = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


@register_model
def lsnet_t(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-T: 11.4 M parameters, 0.3 G at 224 px."""
    return _create("lsnet_t", pretrained, **model_args)


@register_model
def lsnet_s(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-S: 16.1 M parameters, 0.5 G at 224 px."""
    return _create("lsnet_s", pretrained, **model_args)


@register_model
def lsnet_b(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-B: 23.3 M parameters, 1.3 G at 224 px."""
    return _create("lsnet_b", pretrained, **model_args)


@register_model
def lsnet_nano(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-nano: the same blocks for small images, trainable on one CPU core."""
    return _create("lsnet_nano", pretrained, **model_args)
