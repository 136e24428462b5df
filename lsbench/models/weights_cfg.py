"""What published weights say of the images that they were made for: timm's cfg of a model's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import timm
from timm.data import resolve_data_config

from lsbench.core.model_sources import is_sourced
from lsbench.models.model_sources import read_cfg
from lsbench.models.outside import register_outside_model


def data_config(name: str, held: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the images that the weights of a model want, or nothing if no cfg tells.

    Args:
        name: A model of timm, lsbench or another package.
        held: The cfg that a file of weights holds; the model's own tells what it leaves out.

    Returns:
        timm's ``input_size``, ``crop_pct``, ``crop_mode``, ``interpolation``, ``mean`` and ``std``.
    """
    if is_sourced(name):
        own = read_cfg(name)[1]
    else:
        register_outside_model(name)
        cfg = timm.get_pretrained_cfg(name)
        own = {} if cfg is None else dataclasses.asdict(cfg)
    told = {**own, **(held or {})}
    if not told:
        return {}
    resolve: Callable[..., dict[str, Any]] = resolve_data_config
    return resolve(pretrained_cfg=told)
