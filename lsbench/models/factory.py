"""Create any model by name: the LSNet family with a token mixer of choice, or any model of timm.

Importing this module registers lsbench's families with timm, so that ``timm.create_model`` knows them too.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.core.registry import suggest
from lsbench.models import families


def _pluggable_models() -> tuple[str, ...]:
    """Import every family, which registers its models, and return the names that take a token mixer."""
    names: list[str] = []
    for module in pkgutil.iter_modules(families.__path__, f"{families.__name__}."):
        names += importlib.import_module(module.name).MODELS
    return tuple(sorted(names))


PLUGGABLE_MODELS = _pluggable_models()


def create_model(
    name: str,
    *,
    mixer: str | None = None,
    mixer_args: Mapping[str, Any] | None = None,
    num_classes: int,
    img_size: int,
    in_chans: int = 3,
    **model_args: Any,
) -> nn.Module:
    """Return a model with random weights from torch's current random state.

    Args:
        name: A model of the LSNet family, or of timm.
        mixer: Token mixer, for models that have a place for one; None keeps the model's own.
        mixer_args: Options of the token mixer.
        num_classes: Classes.
        img_size: Height and width of the images in pixels; left out for timm's models that take any size.
        in_chans: Channels of the images.
        model_args: Further arguments of the model, under timm's names.

    Raises:
        ConfigError: If a name or option is unknown or a value is refused; one line per problem.
    """
    _check_name(name, takes_mixer=bool(mixer or mixer_args))
    arguments = {**model_args, "num_classes": num_classes, "img_size": img_size, "in_chans": in_chans}
    if mixer is not None:
        arguments["mixer"] = mixer
    if mixer_args:
        arguments["mixer_args"] = dict(mixer_args)
    try:
        return _create(name, arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"model '{name}'{_reason(error)}") from error


def _create(name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except TypeError as error:
        # timm's convolutional models take any size, and so no img_size.
        if _unknown_argument(error) != "img_size":
            raise
        model = timm.create_model(name, **{k: v for k, v in arguments.items() if k != "img_size"})
    return model


def _check_name(name: str, *, takes_mixer: bool) -> None:
    if not timm.is_model(name):
        raise ConfigError(f"unknown model '{name}'{suggest(name, [*PLUGGABLE_MODELS, *timm.list_models()])}")
    if takes_mixer and name not in PLUGGABLE_MODELS:
        raise ConfigError(
            f"model '{name}' has no pluggable token mixer; these have: {', '.join(PLUGGABLE_MODELS)}"
        )


def _unknown_argument(error: Exception) -> str | None:
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    return found.group(1) if found else None


def _reason(error: Exception) -> str:
    option = _unknown_argument(error)
    text = " ".join(str(error).split()) or type(error).__name__
    return f" has no option '{option}'" if option else f": {text}"
