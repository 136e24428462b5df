"""Code shared by the variants of every family: building with timm, and errors for wrong options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, resolve_pretrained_cfg
from torch import nn

from lsbench.core.errors import ConfigError, OptionError
from lsbench.core.model_sources import FOLDER
from lsbench.models.checkpoints import adapt_on_load, load_checkpoint
from lsbench.models.model_sources import fetch_weights
from lsbench.models.option_types import type_problems
from lsbench.models.token_mixer import option_problems

#: Arguments of timm.create_model that do not go to the model itself; the last ones are those that timm has
#: saved beside weights.
BUILDER_OPTIONS = frozenset(
    {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "features_only", "out_indices", "feature_cls"}
    | {"feature_cfg", "pretrained_model_args", "device", "dtype"}
)

ModelT = TypeVar("ModelT", bound=nn.Module)


def describe_variant(*, img_size: int = 224, **others: Any) -> dict[str, Any]:
    """Return a variant's entry for timm's ``generate_default_cfgs``.

    Args:
        img_size: Height and width of the images in pixels that it is designed for.
        others: Further fields; ``first_conv`` and ``classifier`` are the layers' names, ``hf_hub_id`` is the
            address of weights, if there are any.
    """
    return {
        "num_classes": 1000,
        "input_size": (3, img_size, img_size),
        "crop_pct": 0.875 if img_size >= 160 else 1.0,  # as the authors evaluate
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        **others,
    }


def build_variant(
    model: type[ModelT],
    name: str,
    options: Mapping[str, Any],
    *,
    pretrained: bool = False,
    size: Mapping[str, Any] | None = None,
    feature_cfg: dict[str, Any] | None = None,
    filter_fn: Callable[..., dict[str, Any]] | None = None,
) -> ModelT:
    """Build the variant `name` with timm, with random weights by default.

    Args:
        model: Class of the family.
        name: The variant's name, registered with timm.
        options: The user's options: arguments of the model and of timm; with timm's ``device`` and ``dtype``,
            its tensors are made there.
        pretrained: Whether to load pretrained weights; those of a file or folder that the cfg names are read
            as any checkpoint is.
        size: Arguments that define the variant; options override them.
        feature_cfg: How timm makes a feature extractor of the model (``features_only=True``).
        filter_fn: timm's ``checkpoint_filter_fn``: adapts a checkpoint's weights to the model.

    Raises:
        OptionError: If an option is unknown, or its value of another type.
        ConfigError: If there are no pretrained weights, they cannot be read or do not fit, or a value is
            invalid.
    """
    owner = f"model '{name}'"
    source = _source(name, options) if pretrained else None
    if source and not source.has_weights:
        raise ConfigError(f"{owner}: no pretrained weights come with lsbench; leave `pretrained` out")
    file = source and _file_of(source)
    arguments = {**(size or {}), **options}
    device, dtype = arguments.pop("device", None), arguments.pop("dtype", None)
    own = {option: value for option, value in options.items() if option not in BUILDER_OPTIONS}
    problems = option_problems(model, own, owner=owner) + type_problems(model, own, owner=owner)
    if problems:
        raise OptionError(problems)
    features = {**(feature_cfg or {}), **arguments.pop("feature_cfg", {})}
    stages = arguments.get("out_indices", features.get("out_indices"))

    def build(**model_args: Any) -> ModelT:
        with nullcontext() if device is None else torch.device(device):
            made = model(**model_args)
        made = made if dtype is None else made.to(dtype)
        if arguments.get("features_only") and stages is not None:
            _check_stages(stages, len(cast(Any, made).feature_info))
        return made

    try:
        built: ModelT = build_model_with_cfg(
            build,
            name,
            pretrained and not file,
            feature_cfg=features,
            pretrained_filter_fn=filter_fn,
            **arguments,
        )
    except (ValueError, AssertionError) as error:  # timm asserts
        raise ConfigError(f"{owner}: {error}") from error
    if file:
        load_checkpoint(built, file)
    return adapt_on_load(built)


def _check_stages(stages: object, count: int) -> None:
    """Raise a ValueError if `stages` are no out_indices of a model with `count` stages."""
    chosen = range(-stages, 0) if isinstance(stages, int) else stages
    listed = tuple(chosen) if isinstance(chosen, Sequence) else ()
    if not listed or not all(isinstance(one, int) and -count <= one < count for one in listed):
        raise ValueError(
            f"out_indices must be numbers of stages from 0 to {count - 1}, or how many of the last ones to "
            f"take, got {stages!r}"
        )


def _source(name: str, options: Mapping[str, Any]) -> Any:
    """Return timm's description of the variant, with the address of its weights."""
    return resolve_pretrained_cfg(
        name,
        pretrained_cfg=options.get("pretrained_cfg"),
        pretrained_cfg_overlay=options.get("pretrained_cfg_overlay"),
    )


def _file_of(source: Any) -> str | Path | None:
    """Return the file on this machine that timm would take the weights of a cfg from, or None.

    Raises:
        ConfigError: If it is a folder without weights.
    """
    if source.source == "local-dir":
        return fetch_weights(f"{FOLDER}{source.file}")
    return None if source.source == "hf-hub" or source.state_dict else source.file


def inherit_options(
    parent: type[nn.Module], *, fixed: Collection[str]
) -> Callable[[type[ModelT]], type[ModelT]]:
    """Return a decorator that adds the parent's options to a model's signature, after its own.

    For a model that takes ``**parent_args``: an unknown option is then found before it reaches the parent.

    Args:
        parent: Class that receives the arguments.
        fixed: Arguments that the model sets itself.
    """

    def decorate(model: type[ModelT]) -> type[ModelT]:
        own = inspect.signature(model).parameters.values()
        taken = {*fixed, *(parameter.name for parameter in own)}
        inherited = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(parent).parameters.values()
            if parameter.name not in taken
        ]
        named = [parameter for parameter in own if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
        model.__signature__ = inspect.Signature([*named, *inherited])  # type: ignore[attr-defined]
        return model

    return decorate
