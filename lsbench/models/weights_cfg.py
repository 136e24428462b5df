"""What published weights say of the images that they were made for: timm's cfg of a model's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import timm
from timm.data import resolve_data_config

from lsbench.models.outside import register_outside_model


def data_config(name: str) -> dict[str, Any]:
    """Return the images that the published weights of a model want, or nothing if no cfg tells.

    Args:
        name: A model of timm, lsbench or another package.

    Returns:
        timm's ``input_size``, ``crop_pct``, ``crop_mode``, ``interpolation``, ``mean`` and ``std``.
    """
    register_outside_model(name)
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        return {}
    resolve: Callable[..., dict[str, Any]] = resolve_data_config
    return resolve(pretrained_cfg=dataclasses.asdict(cfg))
