"""Load a model's weights from a file or an address, and report mismatches in one line.

Only tensors and plain values are read: a file that needs code to be run is refused.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import timm
import torch
from timm.models import adapt_input_conv, model_entrypoint
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn

from lsbench.core.atomic import atomic_write
from lsbench.core.checkpoint_kinds import Kind
from lsbench.core.errors import ConfigError, DataError, LsbenchError
from lsbench.core.file_content import content_of
from lsbench.models.checkpoint_files import read_checkpoint
from lsbench.models.checkpoint_layouts import unwrap
from lsbench.models.earlier_weights import upgraded

log = logging.getLogger(__name__)

#: Kinds of addresses that Python itself opens.
OF_URLLIB = ("http", "https", "ftp", "file")

ModelT = TypeVar("ModelT", bound=nn.Module)


def load_checkpoint(
    model: nn.Module, path_or_url: str | Path, *, same_classes: bool = False, kind: Kind | None = None
) -> Kind | None:
    """Load weights into `model`, adapted by its family's ``checkpoint_filter_fn`` if there is one.

    Args:
        model: A model created by name, or timm's feature extractor around one.
        path_or_url: A file of ``torch.save`` or of safetensors, or the address of one, which is cached by
            torch.
        same_classes: Refuse a classifier of another number of classes, instead of starting it from scratch.
        kind: Of raw and averaged weights, which to take; default: the average if there is one, as in timm.

    Returns:
        The kind that was taken of a file with both; None for any other file.

    Raises:
        ConfigError: If the file is missing, cannot be read safely, or does not fit the model.
    """
    checkpoint = read_checkpoint(local_file(path_or_url))
    try:
        state, taken = fitted(checkpoint, model, same_classes=same_classes, kind=kind)
    except ConfigError as error:
        name = getattr(model, "pretrained_cfg", {}).get("architecture", type(model).__name__)
        raise ConfigError(f"checkpoint '{path_or_url}' does not fit model '{name}': {error}") from error
    if taken is not None:
        words = {"ema": "the moving average (ema)", "raw": "the raw weights, not their moving average"}
        log.warning("checkpoint '%s' holds two sets of weights: %s is taken", path_or_url, words[taken])
    _inner(model).load_state_dict(state)
    return taken


def fitted(
    checkpoint: Any, model: nn.Module, *, same_classes: bool = False, kind: Kind | None = None
) -> tuple[dict[str, Tensor], Kind | None]:
    """Return the weights of a checkpoint as the model takes them, and the kind taken of a file with both.

    Args:
        checkpoint: A state dict, or a training's checkpoint with it inside.
        model: A model created by name, or timm's feature extractor around one.
        same_classes: As in :func:`load_checkpoint`.
        kind: As in :func:`load_checkpoint`.

    Raises:
        ConfigError: If it does not fit; the problems in one line.
    """
    cfg, target = _cfg_of(model), _inner(model)
    own = target.state_dict()
    try:
        found, taken = unwrap(checkpoint, own, kind)
        classifiers = _classifiers(cfg)
        problems = other_classes(found, own, classifiers) if same_classes else []
        if not problems:
            state = _filter_of(cfg.get("architecture", ""))(found, target)
            state = _with_own_channels(state, own, cfg.get("first_conv"))
            missing = _missing_heads(state, own, classifiers)
            state = keep_own_classifier(_with_heads(state, own, missing, classifiers), own, classifiers)
            if target is not model:  # a feature extractor has dropped unused parts
                unused = upgraded(target, state).keys() - own.keys()
                state = {key: tensor for key, tensor in state.items() if key not in unused}
            problems = misfits(upgraded(target, state), own)
            if same_classes and missing and not problems:
                problems = [f"it has no classifier '{missing[0]}': it is a backbone alone"]
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        problems = [" ".join(str(error).split())]
    if problems:
        raise ConfigError("; ".join(problems))
    return state, taken


def _cfg_of(model: nn.Module) -> dict[str, Any]:
    """Return the model's cfg, completed by that of its architecture, which names layers that it may not."""
    own = {key: value for key, value in getattr(model, "pretrained_cfg", {}).items() if value is not None}
    usual = timm.get_pretrained_cfg(own.get("architecture", ""))
    return {**({} if usual is None else vars(usual)), **own}


def adapt_on_load(model: ModelT) -> ModelT:
    """Let ``load_state_dict`` of a model take what :func:`load_checkpoint` takes; return the model.

    ``checkpoint_path`` of ``timm.create_model`` loads in this way. Weights that do not fit are left to torch,
    which names each.
    """
    register: Callable[..., Any] = model.register_load_state_dict_pre_hook
    register(_adapt)
    return model


def _adapt(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Replace weights that are about to be loaded by fitting ones, if they do not fit as they are."""
    own = model.state_dict()
    if prefix or _is_same(state, own):
        return
    try:
        fitting, _taken = fitted(state, model)
    except ConfigError:
        return
    inner = "" if _inner(model) is model else "model."
    state.clear()
    state.update({f"{inner}{name}": tensor for name, tensor in fitting.items()})


def _is_same(state: Mapping[str, Any], own: Mapping[str, Tensor]) -> bool:
    """Return whether names and shapes are the model's own."""
    return state.keys() == own.keys() and all(
        isinstance(state[name], Tensor) and state[name].shape == tensor.shape for name, tensor in own.items()
    )


def _inner(model: nn.Module) -> nn.Module:
    """Return the model inside of timm's feature extractor, or the model itself."""
    return model.model if isinstance(model, FeatureGetterNet) else model


def _with_own_channels(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], layers: str | Iterable[str] | None
) -> dict[str, Tensor]:
    """Return weights whose first convolutions are summed or repeated for other channels, as timm does."""
    kept = dict(state)
    for layer in (layers,) if isinstance(layers, str) else layers or ():
        name = f"{layer}.weight"
        if name in kept and name in own and kept[name].shape[1:2] != own[name].shape[1:2]:
            adapt: Callable[[int, Tensor], Tensor] = adapt_input_conv
            kept[name] = adapt(own[name].shape[1], kept[name])
    return kept


def _with_heads(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], missing: Collection[str], layers: Collection[str]
) -> dict[str, Tensor]:
    """Return weights with the model's own heads instead of `missing` ones, and without those it lacks."""
    gone = tuple(part for layer in layers for part in _missing_part(layer, own))
    kept = {key: tensor for key, tensor in state.items() if not key.startswith(gone)}
    for head in missing:
        log.warning("checkpoint without a classifier: '%s' starts from scratch", head)
        kept |= {key: tensor for key, tensor in own.items() if key.startswith(f"{head}.")}
    return kept


def _missing_part(layer: str, own: Collection[str]) -> list[str]:
    """Return the start of the names of the largest part around a layer that a model has nothing of, if any.

    >>> _missing_part("head.fc", ["stem.weight", "head.norm.weight"])
    ['head.fc.']
    >>> _missing_part("head.fc", ["stem.weight"])
    ['head.']
    """
    words = layer.split(".")
    parts = (".".join([*words[:count], ""]) for count in range(1, len(words) + 1))
    return [part for part in parts if not any(name.startswith(part) for name in own)][:1]


def _missing_heads(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], layers: Iterable[str]
) -> list[str]:
    """Return the heads of the model, by the first word of their names, that the weights have nothing of."""
    heads = dict.fromkeys(layer.split(".")[0] for layer in layers)
    there, needed = ({key.split(".")[0] for key in names} for names in (state, own))
    return [head for head in heads if head in needed and head not in there]


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


def local_file(path_or_url: str | Path) -> Path:
    """Return a file of weights on this machine; that of an address is fetched, and cached by torch.

    Raises:
        ConfigError: If it cannot be fetched.
    """
    return _download(path_or_url) if "://" in str(path_or_url) else Path(path_or_url).expanduser()


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
            _fetch(str(url), path)
        except LsbenchError:
            raise
        except Exception as error:  # each file system of fsspec has its own errors
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"checkpoint '{url}' cannot be fetched: {reason}") from error
    return path


def _fetch(url: str, path: Path) -> None:
    """Write the content of an address to a file; that of an object store comes through fsspec."""
    if urlsplit(url).scheme in OF_URLLIB:
        torch.hub.download_url_to_file(url, str(path), progress=False)
        return
    import fsspec

    with fsspec.open(url, "rb") as source, atomic_write(path) as target:
        shutil.copyfileobj(source, target)


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
