"""Which image sizes timm's models take: what their cfgs tell, and what is found by trying.

``python -m lsbench.cli.catalog`` writes the answers to the catalog, which planning reads without torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import timm
import torch
from timm.models import model_entrypoint
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.checkpoints import fitted
from lsbench.models.factory import create_model

#: Side of the images of ImageNet-C, which every row of a suite sees whatever its size; pixels.
COMMON = 224
NUM_CLASSES = 1000


def known_cfgs() -> dict[str, Any]:
    """Return the cfg of every model that has one, by name."""
    cfgs: dict[str, Any] = {name: timm.get_pretrained_cfg(name) for name in timm.list_models()}
    return {name: cfg for name, cfg in sorted(cfgs.items()) if cfg is not None}


def input_side(cfg: Any) -> int | None:
    """Return the side in pixels of the images of a cfg of weights; None if they are not square."""
    height, width = cfg.input_size[-2:]
    return int(height) if height == width else None


def sizes() -> dict[str, Any]:
    """Return what cfgs tell, as the catalog has it.

    Returns:
        ``fixed``: the models that take images of one size alone; ``least``: the least side of those that have
        one; ``sizes``: the side of the images of weights where it is not usual, of models and of those of
        their tags that differ, 0 if they are not square.
    """
    cfgs = known_cfgs()
    own = {name: input_side(cfg) or 0 for name, cfg in cfgs.items()}
    tagged = {name: input_side(timm.get_pretrained_cfg(name)) or 0 for name in timm.list_pretrained()}
    differing = {name: side for name, side in tagged.items() if side != own[name.partition(".")[0]]}
    unusual = {name: side for name, side in own.items() if side != COMMON}
    return {
        "fixed": [name for name, cfg in cfgs.items() if cfg.fixed_input_size],
        "least": {name: int(cfg.min_input_size[-1]) for name, cfg in cfgs.items() if cfg.min_input_size},
        "sizes": dict(sorted({**unusual, **differing}.items())),
    }


def bound_models() -> Iterator[str]:
    """Yield the models whose weights are of use at their own size alone, since nothing resizes them.

    A file of timm resizes the weights of all of its models or of none, so the first of each tells; where they
    are not resized, each is tried.
    """
    published = {name.partition(".")[0] for name in timm.list_pretrained()}
    of_file: dict[str, list[str]] = {}
    for name, cfg in known_cfgs().items():
        if cfg.fixed_input_size and name in published and input_side(cfg) not in (None, COMMON):
            of_file.setdefault(model_entrypoint(name).__module__, []).append(name)
    for names in of_file.values():
        if has_bound_weights(names[0]):
            yield from filter(has_bound_weights, names)


def has_bound_weights(name: str) -> bool:
    """Return whether weights made for a model's own size do not fit it when built for the common one."""
    own = input_side(timm.get_pretrained_cfg(name))
    if own is None or own == COMMON:
        return False
    try:
        fitted(_build(name, own).state_dict(), _build(name, COMMON))
    except ConfigError:
        return True
    return False


def _build(name: str, size: int) -> nn.Module:
    """Return a model without memory, built for images of a size."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights that are drawn into no memory
        return create_model(name, num_classes=NUM_CLASSES, img_size=size)
