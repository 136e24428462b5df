"""Contract of every model family: its models are known by name, and each takes any token mixer."""

from __future__ import annotations

import timm
import torch
from torch import nn

from lsbench.core.catalog import pluggable_models
from lsbench.core.registry import FAMILIES
from lsbench.models.factory import create_model


def layers(model: nn.Module) -> list[str]:
    """Return the class of each of a model's modules."""
    return [type(module).__name__ for module in model.modules()]


def test_its_models_are_known_to_suites_and_to_timm(name: str) -> None:
    models = FAMILIES.load(name)
    assert models
    assert set(models) <= set(pluggable_models())
    assert all(timm.is_model(model) for model in models)


def test_its_models_take_token_mixers(name: str) -> None:
    for model in FAMILIES.load(name):
        size = int(timm.get_pretrained_cfg(model).input_size[-1])  # type: ignore[union-attr]
        built = {
            mixer: create_model(model, mixer=mixer, num_classes=7, img_size=size).eval()
            for mixer in ("identity", "rep_mixer")
        }
        assert layers(built["identity"]) != layers(built["rep_mixer"])
        with torch.no_grad():
            logits = built["rep_mixer"](torch.randn(2, 3, size, size))
        logits = logits[0] if isinstance(logits, tuple) else logits
        assert logits.shape == (2, 7)
