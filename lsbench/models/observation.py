"""Observe a model: its layers, its token mixers, and their inputs and outputs.

Shapes: B batch, C channels, H, W plane, N tokens.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from lsbench.models.backbone import NUM_STAGES, LSNet
from lsbench.models.blocks import Block


class Seen(NamedTuple):
    """The inputs and the output of a module in its last call."""

    given: Any
    returned: Any


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers by name, in order: LSNet's blocks, or the features that timm lists for a model.

    A model without a list is its own only layer.
    """
    blocks: dict[str, nn.Module]
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, Block)}
    if blocks:
        return blocks
    modules = dict(model.named_modules())
    info = getattr(model, "feature_info", None) or []
    names = [entry["module"] for entry in info if entry.get("module")]
    return {name: modules[name] for name in names if name in modules} or {"features": model}


def mixers_of(model: nn.Module) -> dict[str, tuple[int, nn.Module]]:
    """Return the pluggable token mixers by name, each with its stage (from 1); empty for models without any.

    The models of the LSNet family have them in the blocks of odd depth of the first three stages.
    """
    if not isinstance(model, LSNet):
        return {}
    found: dict[str, tuple[int, nn.Module]] = {}
    for stage, layers in enumerate(model.stages[: NUM_STAGES - 1], start=1):
        blocks = [(index, layer) for index, layer in enumerate(layers) if isinstance(layer, Block)]
        for index, block in blocks[1::2]:
            found[f"blocks{stage}.{index}.mixer"] = stage, block.mixer
    return found


@contextmanager
def observed(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Seen]]:
    """Yield a mapping that holds, after each call of the model, input and output of each of `modules`."""
    seen: dict[str, Seen] = {}

    def hook_of(name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...], returned: Any) -> None:
            seen[name] = Seen(given[0], returned)

        return hook

    handles = [module.register_forward_hook(hook_of(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def final_map(model: nn.Module, images_BCHW: Tensor) -> Tensor:
    """Return the map (B, C, H, W) that the model's head pools; for a model without a head, its output."""
    forward = getattr(model, "forward_features", model)
    return to_map(model, forward(images_BCHW))


def to_map(model: nn.Module, features: Tensor) -> Tensor:
    """Convert features to a map (B, C, H, W): timm's models also have (B, H, W, C) and tokens (B, N, C).

    Raises:
        ValueError: If the number of tokens is not a square.
    """
    if features.ndim == 4:
        is_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        return features.permute(0, 3, 1, 2) if is_last else features
    if features.ndim != 3:
        raise ValueError(f"expected features with a plane, found shape {tuple(features.shape)}")
    tokens = features[:, cast(int, getattr(model, "num_prefix_tokens", 0)) :]
    side = math.isqrt(tokens.shape[1])
    if side * side != tokens.shape[1]:
        raise ValueError(f"expected a square of tokens, found {tokens.shape[1]}")
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], side, side)
