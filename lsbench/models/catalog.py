"""Regenerate ``catalog.json``: every model name, and what the LSNet family costs with every mixer.

The planning half reads it without importing torch. Run ``python -m lsbench.models.catalog`` after adding a
mixer, changing a size, or moving to another version of timm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm

from lsbench.core.registry import MIXERS
from lsbench.models.factory import PLUGGABLE_MODELS, create_model
from lsbench.models.macs import count_macs

CATALOG = Path(__file__).with_name("catalog.json")
NUM_CLASSES = 1000


def default_img_size(name: str) -> int:
    """Return the image size in pixels that a model of the LSNet family is made for."""
    cfg: Any = timm.get_pretrained_cfg(name)
    return int(cfg.input_size[-1])


def macs_key(name: str, mixer: str) -> str:
    """Return the catalog's key of a model with a mixer at the model's own image size.

    >>> macs_key("lsnet_t", "ls_conv")
    'lsnet_t@224/ls_conv'
    """
    return f"{name}@{default_img_size(name)}/{mixer}"


def measure_macs(name: str, mixer: str) -> int:
    """Return the MACs of one image of the model's own size, three channels, 1000 classes."""
    size = default_img_size(name)
    model = create_model(name, mixer=mixer, num_classes=NUM_CLASSES, img_size=size)
    return count_macs(model, (3, size, size)).total


def build_catalog() -> dict[str, Any]:
    """Return the catalog of this installation; takes about a minute."""
    macs = {
        macs_key(name, mixer): measure_macs(name, mixer)
        for name in PLUGGABLE_MODELS
        for mixer in MIXERS.names()
    }
    return {"models": sorted({*PLUGGABLE_MODELS, *timm.list_models()}), "macs": macs}


def main() -> None:
    """Write the catalog beside this file."""
    CATALOG.write_text(json.dumps(build_catalog(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
