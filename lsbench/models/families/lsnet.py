"""The LSNet family: T, S and B of the paper, each also with a distilled head, and one for small images.

Weights of the paper's models are the authors', at huggingface.co/jameslahm, one repository per model.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement Table 2. ``lsnet_nano`` is not in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from timm.models import generate_default_cfgs, register_model
from torch import Tensor, nn

from lsbench.models.backbone import LSNet, LSNetDistilled
from lsbench.models.blocks import Attention, RepVGGDW, offset_indices, resize_biases
from lsbench.models.checkpoint_layouts import unwrap
from lsbench.models.checkpoints import keep_own_classifier
from lsbench.models.registration import build_variant, describe_variant

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
PUBLISHED = ("lsnet_t", "lsnet_s", "lsnet_b")
MODELS = (*SIZES, *(f"{name}_distill" for name in PUBLISHED))


def _describe(name: str) -> dict[str, Any]:
    size = SIZES[name.removesuffix("_distill")]
    img_size = size.get("img_size", 224)
    side = -(-img_size // (8 * size.get("stem_stride", 8)))  # of the last map
    others: dict[str, Any] = {
        "first_conv": "patch_embed.0.c",
        "classifier": "head.l",
        "pool_size": (side, side),
    }
    if name.endswith("_distill"):
        others["classifier"] = ("head.l", "head_dist.l")
    if name.removesuffix("_distill") in PUBLISHED:
        others |= {"hf_hub_id": f"jameslahm/{name}", "license": "mit", "paper_ids": "arXiv:2503.23135"}
    return describe_variant(img_size=img_size, **others)


default_cfgs = generate_default_cfgs({name: _describe(name) for name in MODELS})


def _create(name: str, pretrained: bool, model_args: dict[str, Any]) -> LSNet:
    return build_variant(
        LSNetDistilled if name.endswith("_distill") else LSNet,
        name,
        model_args,
        pretrained=pretrained,
        size=SIZES[name.removesuffix("_distill")],
        # Stage 1 of T is empty, so features come from the model's own method instead of module by module.
        feature_cfg={"feature_cls": "getter", "out_indices": (0, 1, 2, 3)},
        filter_fn=checkpoint_filter_fn,
    )


@register_model
def lsnet_t(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-T: 11.4 M parameters, 0.3 G at 224 px."""
    return _create("lsnet_t", pretrained, model_args)


@register_model
def lsnet_t_distill(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-T with a distilled head."""
    return _create("lsnet_t_distill", pretrained, model_args)


@register_model
def lsnet_s(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-S: 16.1 M parameters, 0.5 G at 224 px."""
    return _create("lsnet_s", pretrained, model_args)


@register_model
def lsnet_s_distill(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-S with a distilled head."""
    return _create("lsnet_s_distill", pretrained, model_args)


@register_model
def lsnet_b(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-B: 23.3 M parameters, 1.3 G at 224 px."""
    return _create("lsnet_b", pretrained, model_args)


@register_model
def lsnet_b_distill(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-B with a distilled head."""
    return _create("lsnet_b_distill", pretrained, model_args)


@register_model
def lsnet_nano(pretrained: bool = False, **model_args: Any) -> LSNet:
    """Return LSNet-nano: the same blocks for small images, trainable on one CPU core."""
    return _create("lsnet_nano", pretrained, model_args)


def checkpoint_filter_fn(state_dict: Mapping[str, Any], model: nn.Module) -> dict[str, Tensor]:
    """Adapt the weights of a checkpoint, the authors' or lsbench's, to `model`.

    Differences are adapted where there is one sensible way:

    - Another image size: the attention biases are resized.
    - Two heads into a model with one: ``head`` is taken. One head into a model with two: both start from it.
    - Another number of classes: the last layer keeps the model's own weights, as in timm.
    - No 1x1 branch in any extra depth-wise convolution (the authors' log of B states a size without it): the
      branch's scale and shift are set to zero, so that it adds nothing until it is trained.

    Args:
        state_dict: The weights, or a training's checkpoint with them inside.
        model: A model of the LSNet family, not fused.

    Raises:
        ValueError: If there are no weights, or the height and width of a bias map cannot be determined.
    """
    own = model.state_dict()
    state, _ = unwrap(state_dict, own)
    state = keep_own_classifier(_with_heads(state, own), own, ("head.l", "head_dist.l"))
    branches = [f"{name}.conv1." for name, module in model.named_modules() if isinstance(module, RepVGGDW)]
    if not any(key.startswith(tuple(branches)) for key in state):
        for key in own:
            if key.startswith(tuple(branches)):
                # The convolution stays random: if it were zero too, the branch could never learn.
                state[key] = torch.zeros_like(own[key]) if ".bn." in key else own[key]
    for name, module in model.named_modules():
        if isinstance(module, Attention) and f"{name}.attention_biases" in state:
            state |= _fitted_biases(state, name, module.resolution)
    return state


def _with_heads(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with exactly the heads of the model, if the checkpoint has one."""
    heads = {name: _under(f"{name}.", state) for name in ("head", "head_dist")}
    fitted = {key: tensor for key, tensor in state.items() if key.split(".")[0] not in heads}
    for name, weights in heads.items():
        if _under(f"{name}.", own):
            fitted |= {f"{name}.{key}": tensor for key, tensor in (weights or heads["head"]).items()}
    return fitted


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _fitted_biases(state: Mapping[str, Tensor], name: str, resolution: tuple[int, int]) -> dict[str, Tensor]:
    """Return one attention's biases for maps of `resolution`, and their indices."""
    table = state[f"{name}.attention_biases"]
    indices = state.get(f"{name}.attention_bias_idxs")
    count = table.shape[1]
    if indices is not None:
        # Find the map with this numbering of offsets. Try the model's own first: a single row and a single
        # column of pixels are numbered alike.
        sides = [resolution, *((rows, count // rows) for rows in range(1, count + 1) if count % rows == 0)]
        found = [old for old in sides if torch.equal(offset_indices(old), indices.cpu())]
    elif count == math.prod(resolution):
        found = [resolution]
    else:
        found = [(side, side) for side in (math.isqrt(count),) if side * side == count]
    if not found:
        raise ValueError(f"{name}.attention_biases has {count} offsets, which fit no map of rows and columns")
    if found[0] != resolution:
        table = resize_biases(table, found[0], resolution)
    return {
        f"{name}.attention_biases": table,
        f"{name}.attention_bias_idxs": offset_indices(resolution),
    }
