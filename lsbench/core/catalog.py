"""What is known of models without importing them: their names, and what some of them cost.

Both come from ``lsbench/core/catalog.json``, which ``python -m lsbench.cli.catalog`` rewrites.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from lsbench.core.ids import canonical_json
from lsbench.core.registry import PACKAGE_ROOT, suggest

#: The mixer of a model that takes one where none is named.
DEFAULT_MIXER = "ls_conv"
#: Arguments of a model that name its weights, and so change nothing of what it costs.
WEIGHTS = ("pretrained", "checkpoint")


@cache
def read_catalog() -> dict[str, Any]:
    """Return the catalog as shipped.

    Returns:
        ``models``: every name, sorted; ``pluggable``: those that take a token mixer; ``macs``: MACs of one
        image by :func:`macs_key`.
    """
    text = (PACKAGE_ROOT / "core" / "catalog.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def model_names() -> list[str]:
    """Return the names of all models: those that take a token mixer first, then timm's."""
    pluggable = pluggable_models()
    return [*pluggable, *(name for name in read_catalog()["models"] if name not in pluggable)]


def pluggable_models() -> list[str]:
    """Return the names of the models that take a token mixer."""
    return list(read_catalog()["pluggable"])


def unknown_model(name: str) -> str | None:
    """Return a one-line message if there is no model `name`, else None."""
    if name in read_catalog()["models"]:
        return None
    return f"unknown model '{name}'{suggest(name, model_names()) or '; see `lsbench list models`'}"


def macs_key(identity: Mapping[str, Any], img_size: int, *, is_pluggable: bool) -> str:
    """Return the catalog's key of a model and all that changes its MACs.

    Args:
        identity: ``model``, and where they are given ``mixer``, ``mixer_args``, ``model_args``.
        img_size: Height and width of the images in pixels.
        is_pluggable: Whether the model takes a token mixer.

    >>> macs_key({"model": "lsnet_t", "mixer_args": {"kernel_large": 5}}, 224, is_pluggable=True)
    'lsnet_t@224/ls_conv{"mixer_args":{"kernel_large":5}}'
    """
    args = {key: value for key, value in (identity.get("model_args") or {}).items() if key not in WEIGHTS}
    mixer = f"/{identity.get('mixer') or DEFAULT_MIXER}" if is_pluggable else ""
    given = {"mixer_args": identity.get("mixer_args"), "model_args": args}
    options = {key: value for key, value in given.items() if value}
    return f"{identity['model']}@{img_size}{mixer}{canonical_json(options) if options else ''}"


def counted_macs(identity: Mapping[str, Any], img_size: int) -> int | None:
    """Return the MACs of one image as counted on the model itself, or None if nobody has.

    Args:
        identity: As :meth:`lsbench.core.job.Variant.model_identity` gives it.
        img_size: Height and width of the image in pixels.
    """
    is_pluggable = identity["model"] in read_catalog()["pluggable"]
    found = read_catalog()["macs"].get(macs_key(identity, img_size, is_pluggable=is_pluggable))
    return None if found is None else int(found)


def known_macs(identity: Mapping[str, Any], img_size: int) -> float | None:
    """Return about how many MACs one image takes, or None if the catalog holds nothing like the model.

    What was not counted at this size is scaled by area, which is how convolutions grow, and options of
    the mixer that were not counted are passed over: an estimate for planning, never a result.
    """
    exact = counted_macs(identity, img_size)
    if exact is not None:
        return float(exact)
    for near in (identity, {**identity, "mixer_args": {}}):
        for size in _counted_sizes(identity["model"]):
            found = counted_macs(near, size)
            if found is not None:
                return found * (img_size / size) ** 2
    return None


@cache
def _counted_sizes(model: str) -> tuple[int, ...]:
    keys = [key.removeprefix(f"{model}@") for key in read_catalog()["macs"] if key.startswith(f"{model}@")]
    sizes = {int(key.split("/", 1)[0].split("{", 1)[0]) for key in keys}
    return tuple(sorted(sizes))
