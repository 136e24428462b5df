"""Weights that were trained before a module got another form: what the module makes of them when they load.

A module that can take such weights says how in ``upgrade_weights``. It works wherever torch loads a state
dict, also inside timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


class UpgradesWeights(nn.Module):
    """A module that loads weights of its earlier form; the first base of its class."""

    def upgrade_weights(self, state: dict[str, Any], prefix: str) -> None:
        """Change weights of an earlier form to the present one, in place; others stay as they are.

        Args:
            state: Weights by name.
            prefix: Name of this module in them, with a dot at its end.
        """
        raise NotImplementedError

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        self.upgrade_weights(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def upgraded(model: nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names and values that weights have after `model` has loaded them; they are not changed.

    Args:
        model: The model.
        state: Weights by name, of any form.
    """
    found = dict(state)
    for name, module in model.named_modules():
        if isinstance(module, UpgradesWeights):
            module.upgrade_weights(found, f"{name}." if name else "")
    return found


def conditions(model: nn.Module) -> dict[str, Any]:
    """Return the conditions other than the usual ones under which `model` runs, for the protocol.

    Each module with a method ``conditions() -> dict`` names its own.
    """
    found: dict[str, Any] = {}
    for module in model.modules():
        if callable(named := getattr(module, "conditions", None)):
            found |= named()
    return found
