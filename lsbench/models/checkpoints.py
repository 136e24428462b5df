"""Load a model's weights from a file or an address, and report mismatches in one line.

Only tensors and plain values are read: a file that needs code to be run is refused.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import logging
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import timm
import torch
from safetensors.torch import load_file
from timm.models import clean_state_dict, model_entrypoint
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.file_content import content_of

log = logging.getLogger(__name__)

#: Usual keys of the weights in training checkpoints; averaged ones are taken if there are no others.
WEIGHTS_KEYS = ("model", "state_dict", "model_ema", "state_dict_ema")


def load_checkpoint(model: nn.Module, path_or_url: str | Path, *, same_classes: bool = False) -> None:
    """Load weights into `model`, adapted by its family's ``checkpoint_filter_fn`` if there is one.

    Args:
        model: A model created by name, or timm's feature extractor around one.
        path_or_url: A file of ``torch.save`` or, by its suffix, of safetensors, or the address of one, which
            is cached by torch.
        same_classes: Refuse a classifier of another number of classes, instead of starting it from scratch.

    Raises:
        ConfigError: If the file is missing, cannot be read safely, or does not fit the model.
    """
    path = _download(path_or_url) if "://" in str(path_or_url) else Path(path_or_url).expanduser()
    # A feature extractor has dropped unused parts.
    is_part = isinstance(model, FeatureGetterNet)
    target = cast(nn.Module, model.model) if is_part else model
    cfg = getattr(model, "pretrained_cfg", {})
    own = target.state_dict()
    try:
        found, classifiers = unwrap(_read(path)), _classifiers(cfg)
        problems = other_classes(found, own, classifiers) if same_classes else []
        if not problems:
            state = _filter_of(cfg.get("architecture", ""))(found, target)
            state = keep_own_classifier(state, own, classifiers)
            if is_part:
                state = {key: tensor for key, tensor in state.items() if key in own}
            problems = misfits(state, own)
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        problems = [" ".join(str(error).split())]
    if problems:
        name = cfg.get("architecture", type(model).__name__)
        raise ConfigError(f"checkpoint '{path_or_url}' does not fit model '{name}': {'; '.join(problems)}")
    target.load_state_dict(state)


def unwrap(checkpoint: Any) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, without the prefixes of parallel or compiled training.

    Args:
        checkpoint: A state dict, or a mapping that holds one under a usual name.

    Raises:
        ValueError: If it holds no weights.
    """
    for key in WEIGHTS_KEYS:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise ValueError("it holds no weights by name")
    other = [key for key, value in checkpoint.items() if not isinstance(value, Tensor)]
    if other:
        raise ValueError(f"it holds no weights: '{other[0]}' is not a tensor")
    state: dict[str, Tensor] = clean_state_dict(dict(checkpoint))
    return state


def keep_own_classifier(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], layers: Iterable[str]
) -> dict[str, Tensor]:
    """Return `state`, with the model's own weights for classifiers that have another number of classes.

    Args:
        state: Weights of a checkpoint.
        own: Weights of the model.
        layers: Names of the classifying linear layers.
    """
    kept = dict(state)
    for layer in layers:
        weight = f"{layer}.weight"
        if weight not in state or weight not in own or state[weight].shape[1:] != own[weight].shape[1:]:
            continue
        found, wanted = len(state[weight]), len(own[weight])
        if found != wanted:
            log.warning("checkpoint of %d classes for %d: '%s' starts from scratch", found, wanted, layer)
            kept |= {key: own[key] for key in (weight, f"{layer}.bias") if key in own}
    return kept


def other_classes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], layers: Iterable[str]) -> list[str]:
    """Return one line for each classifier of `state` that has another number of classes than the model's.

    Args:
        state: Weights of a checkpoint.
        own: Weights of the model.
        layers: Names of the classifying linear layers.
    """
    named = [(layer, f"{layer}.weight") for layer in layers]
    return [
        f"its '{layer}' has {len(state[key])} classes instead of {len(own[key])}; weights are tested with "
        "their own classes"
        for layer, key in named
        if key in state and key in own and len(state[key]) != len(own[key])
    ]


def _download(url: str | Path) -> Path:
    """Return the cached copy of an address; its name distinguishes addresses and what they hold."""
    folder, name = Path(torch.hub.get_dir(), "checkpoints"), Path(urlsplit(str(url)).path).name
    digest = hashlib.sha256(str(url).encode()).hexdigest()[:16]
    try:
        path = folder / f"{digest}-{content_of(str(url))[:12]}-{name}"
    except DataError:  # out of reach: the newest copy will do
        copies = sorted(folder.glob(f"{digest}-*"), key=lambda copy: copy.stat().st_mtime)
        path = copies[-1] if copies else folder / f"{digest}-{name}"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(str(url), str(path), progress=False)
        except (OSError, ValueError, HTTPException) as error:
            raise ConfigError(f"checkpoint '{url}' cannot be fetched: {error}") from error
    return path


def _read(path: Path) -> Any:
    if not path.is_file():
        reason = "is a folder; name the file in it" if path.is_dir() else "does not exist"
        raise ConfigError(f"checkpoint '{path}' {reason}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Training scripts keep their arguments beside the weights. Warnings of torch end in an error here.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError(f"checkpoint '{path}' {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        unsafe = re.search(r"(?:GLOBAL|global) `?([\w.]+)", str(error))
        if unsafe:
            return (
                f"needs '{unsafe.group(1)}', which is not loaded since it could run code; "
                "save the model's state dict alone"
            )
        return "is damaged or not a checkpoint of torch.save"
    # For a truncated archive torch seeks to a position before the start of the file.
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return f"cannot be read: {error.strerror}"
    sentence = re.split(r"\. |\n", str(error).strip())[0]
    return f"is damaged or not a checkpoint ({type(error).__name__}{f': {sentence}' if sentence else ''})"


def _filter_of(name: str) -> Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]:
    """Return the checkpoint filter of the file that registers the model `name`."""
    if not timm.is_model(name):
        return lambda state, model: state
    module = sys.modules[model_entrypoint(name).__module__]
    return getattr(module, "checkpoint_filter_fn", lambda state, model: state)


def _classifiers(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    names = cfg.get("classifier") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def misfits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Return the mismatches in names and shapes: the count and the first of each kind.

    Args:
        state: The weights.
        own: Those of the model.
    """
    # Old checkpoints lack the batch counter, which torch fills in.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {_sides(state[key])} instead of {_sides(own[key])}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    lines = [
        (f"{len(missing)} of its {len(own)} weights missing", [f"{k} {_sides(own[k])}" for k in missing]),
        (f"{len(unexpected)} unknown to it", [f"{key} {_sides(state[key])}" for key in unexpected]),
        (f"{len(shapes)} of another shape", shapes),
    ]
    return [f"{text} ({_few(found)})" for text, found in lines if found]


def _few(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:3])
    return f"{shown}, ..." if len(names) > 3 else shown


def _sides(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"
