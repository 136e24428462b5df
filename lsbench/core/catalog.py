"""What is known of models without importing them: their names, and the MACs of the LSNet family.

Both come from ``lsbench/models/catalog.json``, which ``python -m lsbench.models.catalog`` rewrites.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from lsbench.core.registry import PACKAGE_ROOT, suggest


@cache
def read_catalog() -> dict[str, Any]:
    """Return the catalog as shipped: ``{"models": [...], "macs": {...}}``."""
    text = (PACKAGE_ROOT / "models" / "catalog.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def model_names() -> list[str]:
    """Return the names of all models: the LSNet family and timm's."""
    return list(read_catalog()["models"])


def unknown_model(name: str) -> str | None:
    """Return a one-line message if there is no model `name`, else None."""
    if name in read_catalog()["models"]:
        return None
    return f"unknown model '{name}'{suggest(name, model_names()) or '; see `lsbench list models`'}"


def known_macs(model: str, mixer: str | None, img_size: int) -> float | None:
    """Return the MACs of one image, or None if the catalog does not hold the model.

    Counted at one size and scaled by area to another, which is how convolutions grow: an estimate
    for planning, never a result.
    """
    wanted = f"/{mixer or 'ls_conv'}"
    for key, macs in read_catalog()["macs"].items():
        if key.startswith(f"{model}@") and key.endswith(wanted):
            size = int(key.removeprefix(f"{model}@").split("/", 1)[0])
            return float(macs) * (img_size / size) ** 2
    return None
