"""Create any model by name: the LSNet family with a token mixer of choice, timm's, or another package's.

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

from lsbench.core.catalog import pluggable_models
from lsbench.core.checkpoint_kinds import Kind
from lsbench.core.errors import ConfigError, LsbenchError
from lsbench.core.model_sources import is_sourced
from lsbench.core.registry import suggest
from lsbench.core.weight_sources import CHECKPOINT, CHECKPOINT_WEIGHTS, refused_arguments
from lsbench.models import families
from lsbench.models.checkpoints import load_checkpoint
from lsbench.models.model_sources import fetch_weights, read_cfg
from lsbench.models.option_types import shown
from lsbench.models.outside import register_outside_model


def _pluggable_models() -> tuple[str, ...]:
    """Import every family, which registers its models, and return the names that take a token mixer."""
    names: list[str] = []
    for module in pkgutil.iter_modules(families.__path__, f"{families.__name__}."):
        names += importlib.import_module(module.name).MODELS
    return tuple(sorted(names))


PLUGGABLE_MODELS = _pluggable_models()


def create_model(  # noqa: PLR0913 - all by name
    name: str,
    *,
    mixer: str | None = None,
    mixer_args: Mapping[str, Any] | None = None,
    num_classes: int,
    img_size: int,
    in_chans: int = 3,
    checkpoint: str | None = None,
    checkpoint_weights: Kind | None = None,
    same_classes: bool = False,
    **model_args: Any,
) -> nn.Module:
    """Create a model, with random weights from torch's current random state by default.

    Args:
        name: A model of the LSNet family, of timm, or of another package.
        mixer: Token mixer, for models with a pluggable one; None keeps the model's own.
        mixer_args: Options of the token mixer.
        num_classes: Classes.
        img_size: Height and width of the images in pixels; not passed to timm's models that take any size.
        in_chans: Channels of the images.
        checkpoint: File or address of weights, see :func:`lsbench.models.checkpoints.load_checkpoint`.
        checkpoint_weights: Of a file with raw and averaged weights, which to take: ``"ema"``, which is the
            default as in timm, or ``"raw"``.
        same_classes: Refuse weights whose classifier has another number of classes. By default it starts from
            scratch, as a training needs it.
        model_args: Further arguments of the model, under timm's names; ``pretrained: true`` loads the
            published weights.

    Raises:
        ConfigError: If a name or option is unknown, a value is invalid, or weights cannot be loaded or do not
            fit; one line per problem.
    """
    architecture = read_cfg(name)[0] if is_sourced(name) else name
    _check_name(architecture, takes_mixer=bool(mixer or mixer_args))
    _check_weights(name, checkpoint, pretrained=bool(model_args.get("pretrained")))
    chosen = {} if checkpoint_weights is None else {CHECKPOINT_WEIGHTS: checkpoint_weights}
    given = {} if checkpoint is None else {CHECKPOINT: checkpoint}
    _check_sources(name, {**model_args, **given, **chosen}, mixer_args)
    if is_sourced(name) and model_args.pop("pretrained", None):
        checkpoint = str(fetch_weights(name))
    arguments = {**model_args, "num_classes": num_classes, "img_size": img_size, "in_chans": in_chans}
    if mixer is not None:
        arguments["mixer"] = mixer
    if mixer_args:
        arguments["mixer_args"] = dict(mixer_args)
    try:
        model = _create(name, arguments)
    except OSError as error:
        raise ConfigError(
            f"model '{name}': its weights cannot be fetched; give a file as `checkpoint`{_reason(error)}"
        ) from error
    except LsbenchError:
        raise
    except Exception as error:
        raise ConfigError(f"model '{name}'{_reason(error, model_args)}") from error
    if checkpoint is not None:
        taken = load_checkpoint(model, checkpoint, same_classes=same_classes, kind=checkpoint_weights)
        model.checkpoint_weights = taken  # type: ignore[assignment]  # beside timm's pretrained_cfg
    published = getattr(model, "pretrained_cfg", {}).get("num_classes", num_classes)
    if same_classes and model_args.get("pretrained") and published != num_classes:
        raise ConfigError(
            f"model '{name}': its published weights know {published} classes, not {num_classes}"
        )
    return model


def _create(name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except TypeError as error:
        # timm's convolutional models take any size, and so have no img_size.
        if _unknown_argument(error) != "img_size":
            raise
        model = timm.create_model(name, **{k: v for k, v in arguments.items() if k != "img_size"})
    return model


def _check_name(name: str, *, takes_mixer: bool) -> None:
    is_outside = register_outside_model(name)
    if not timm.is_model(name):
        raise ConfigError(f"unknown model '{name}'{suggest(name, [*PLUGGABLE_MODELS, *timm.list_models()])}")
    if takes_mixer and name not in (pluggable_models() if is_outside else PLUGGABLE_MODELS):
        raise ConfigError(
            f"model '{name}' has no pluggable token mixer; these have: {', '.join(pluggable_models())}"
        )


def _check_weights(name: str, checkpoint: object, *, pretrained: bool) -> None:
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise ConfigError(f"model '{name}': checkpoint must be a file or an address, got {checkpoint!r}")
    if checkpoint is not None and pretrained:
        raise ConfigError(f"model '{name}': give either `pretrained` or `checkpoint`, not both")


def _check_sources(name: str, model_args: Mapping[str, Any], mixer_args: Mapping[str, Any] | None) -> None:
    found = [
        *refused_arguments(model_args, takes_checkpoint=True),
        *refused_arguments(mixer_args, takes_checkpoint=False),
    ]
    if found:
        raise ConfigError(f"model '{name}': {'.'.join(map(str, path))}: {why}" for path, why in found)


def _unknown_argument(error: Exception) -> str | None:
    # The wording in timm's MetaFormer family is "argument(s): ['img_size']".
    found = re.search(r"unexpected keyword argument(?:\(s\):)? \[?'(\w+)'", str(error))
    return found.group(1) if found else None


def _reason(error: Exception, model_args: Mapping[str, Any] | None = None) -> str:
    option = _unknown_argument(error)
    text = " ".join(str(error).split()) or type(error).__name__
    if option:
        return f" has no option '{option}'"
    if not model_args or isinstance(error, ValueError):
        return f": {text}"
    return f" cannot be made with model_args {shown(dict(model_args))}: {type(error).__name__}: {text}"
