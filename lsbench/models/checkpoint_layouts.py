"""Find a model's weights in a checkpoint, whichever program wrote it.

Known layouts: timm, DeiT, torchvision's references, Lightning, averages of ``torch.optim.swa_utils``,
mmpretrain and mmsegmentation, DINO; each also from parallel or compiled training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from lsbench.core.checkpoint_kinds import Kind, kinds_of

#: Wrappers of parallel and compiled training, in any order.
WRAPPERS = ("module.", "_orig_mod.")
#: Names of a model inside of a larger module.
MODULES = ("model", "backbone", "net", "network", "encoder")
#: Tensors that averages of weights keep beside them.
COUNTERS = ("n_averaged", "steps", "num_updates", "decay")
#: Words in the names of averaged parts of a module that keeps both.
AVERAGED = ("ema", "teacher", "averaged")
#: A part is the model if it has at least this share of the model's weights.
LEAST_SHARE = 0.5


def unwrap(
    checkpoint: Any, own: Mapping[str, Tensor] | None = None, kind: Kind | None = None
) -> tuple[dict[str, Tensor], Kind | None]:
    """Return the weights of a model, by the model's names, and which kind was taken of a file with both.

    Args:
        checkpoint: A state dict, or a training's checkpoint with it inside.
        own: Weights of the model, to find its part in a larger module; None: the whole is the model.
        kind: The kind to take; by default the average, as timm does.

    Raises:
        ValueError: If it holds no weights, or none of that kind.
    """
    kinds = kinds_of(checkpoint)
    taken = _taken(list(kinds), kind) if len(kinds) > 1 else None
    whole = kinds[taken] if taken else next(iter(kinds.values()), checkpoint)
    state = _named_tensors(whole)
    parts = _parts(state, own or {})
    of_kind: dict[Kind, str] = {}
    for part in parts:
        of_kind.setdefault("ema" if _is_averaged(part) else "raw", part)
    if taken is None and len(of_kind) > 1:
        taken = _taken(list(of_kind), kind)
    if taken is None and kind is not None:
        is_average = "ema" in of_kind or COUNTERS[0] in whole
        _taken(["ema"] if is_average else list(kinds), kind)
    prefix = of_kind.get(taken or "ema") or next(iter(parts), _common_wrapper(state))
    return _under(prefix, parts, state, own or {}), taken


_WORDS: dict[Kind, str] = {"ema": "a moving average", "raw": "those as trained"}


def _taken(there: list[Kind], kind: Kind | None) -> Kind:
    """Return the kind to take of those that are there."""
    if kind is None:
        return "ema" if "ema" in there else "raw"
    if kind not in there:
        found = f"only {_WORDS[there[0]]}" if there else "weights of which it does not say what they are"
        raise ValueError(f"it holds {found}, not {_WORDS[kind]}; leave checkpoint_weights out")
    return kind


def _named_tensors(checkpoint: Any) -> dict[str, Tensor]:
    """Return a state dict without counters and the prefixes of parallel and compiled training."""
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise ValueError("it holds no weights by name")
    named = {key: value for key, value in checkpoint.items() if key not in COUNTERS}
    other = [key for key, value in named.items() if not isinstance(value, Tensor)]
    if other:
        raise ValueError(f"it holds no weights: '{other[0]}' is not a tensor")
    return {_without_wrappers(str(key)): value for key, value in named.items()}


def _without_wrappers(name: str) -> str:
    """Return a weight's name without the prefixes of wrappers.

    >>> _without_wrappers("module._orig_mod.module.stem.weight")
    'stem.weight'
    """
    while name.startswith(WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _parts(state: Iterable[str], own: Mapping[str, Tensor]) -> list[str]:
    """Return the prefixes under which most of the model's weights lie, the fullest first."""
    found: Counter[str] = Counter()
    for name in state:
        words = name.split(".")
        for start in range(len(words)):
            if ".".join(words[start:]) in own:
                found[".".join([*words[:start], ""]) if start else ""] += 1
    return [prefix for prefix, count in found.most_common() if count >= LEAST_SHARE * len(own)]


def _is_averaged(prefix: str) -> bool:
    return any(word in part.split("_") for part in prefix.split(".") for word in AVERAGED)


def _common_wrapper(state: Iterable[str]) -> str:
    """Return the prefix of a wrapping module that all weights have, for models whose filters rename them."""
    starts = {name.split(".", 1)[0] for name in state}
    start = starts.pop() if len(starts) == 1 else ""
    return f"{start}." if start in MODULES else ""


def _under(
    prefix: str, parts: Iterable[str], state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the weights below a prefix; a classifier beside the backbone joins them."""
    others = tuple(part for part in parts if part.startswith(prefix) and part != prefix)
    found = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix) and not name.startswith(others)
    }
    for name in own.keys() - found.keys() if prefix else ():
        beside = [value for other, value in state.items() if other.endswith(f".{name}")]
        if len(beside) == 1 and beside[0].shape == own[name].shape:
            found[name] = beside[0]
    return found
