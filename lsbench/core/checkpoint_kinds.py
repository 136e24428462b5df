"""The weights that a training's checkpoint holds: as trained (raw), averaged (EMA), or both.

Of a file with both, the averaged ones are taken, as timm does, unless a suite asks for the others. Which
kinds a file holds is read here without torch and without running any code: the id of a job covers the choice.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from lsbench.core.file_content import content_of, local_path

Kind = Literal["ema", "raw"]
KINDS: tuple[Kind, ...] = ("ema", "raw")
#: Keys of the averaged weights and of those as trained, in timm's order; then those of DINO.
EMA_KEYS = ("state_dict_ema", "model_ema", "teacher")
RAW_KEYS = ("state_dict", "model", "student")
#: The average of other programs; but mmengine swaps the two, so that its ``state_dict`` is the average.
SWAPPED_KEY, SWAPPED_WITH = "ema_state_dict", "state_dict"
#: Marks of mmengine's average: a counter, and the prefix of all its weights.
SWAPPED_COUNTER, SWAPPED_PREFIX = "steps", "module."
#: Ends the content of a file with both kinds: earlier versions took the raw ones of it.
BOTH = ", its average if not told otherwise"
#: Begins every file of `torch.save` from before version 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PICKLES_BEFORE = 3


def kinds_of(checkpoint: Any) -> dict[Kind, Any]:
    """Return the weights of each kind in a checkpoint; nothing if it is not one of a training.

    >>> kinds_of({"model": {"a": 1}, "model_ema": {"a": 2}, "epoch": 3})
    {'ema': {'a': 2}, 'raw': {'a': 1}}
    >>> kinds_of({"a": 1})
    {}
    """
    if not isinstance(checkpoint, Mapping):
        return {}
    averaged, trained = _first(checkpoint, EMA_KEYS), _first(checkpoint, RAW_KEYS)
    named = _first(checkpoint, (SWAPPED_KEY,))
    if named is not None and _is_swapped(named) and trained is checkpoint.get(SWAPPED_WITH):
        averaged, trained = trained, named
    elif averaged is None:
        averaged = named
    found: dict[Kind, Any] = {"ema": averaged, "raw": trained}
    return {kind: weights for kind, weights in found.items() if weights is not None}


def _is_swapped(average: Mapping[str, Any]) -> bool:
    """Return whether mmengine wrote an average: it exchanges its weights with those as trained."""
    names = [str(name) for name in average if name != SWAPPED_COUNTER]
    return SWAPPED_COUNTER in average or all(name.startswith(SWAPPED_PREFIX) for name in names)


def _first(checkpoint: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((checkpoint[key] for key in keys if isinstance(checkpoint.get(key), Mapping)), None)


def checkpoint_content(place: str) -> str:
    """Return the content of a file of weights; one with raw and averaged weights says so.

    Args:
        place: A path or an address.

    Raises:
        DataError: As :func:`lsbench.core.file_content.content_of`.
    """
    content = content_of(place)
    return content + BOTH if len(kinds_of(_outline(place))) > 1 else content


def cfg_in(place: str) -> dict[str, Any]:
    """Return the ``pretrained_cfg`` that a file of weights holds, or nothing; for an address nothing.

    Args:
        place: A path or an address.
    """
    found = _outline(place)
    cfg = found.get("pretrained_cfg") if isinstance(found, Mapping) else None
    return dict(cfg) if isinstance(cfg, Mapping) else {}


def _outline(place: str) -> Any:
    """Return what a file of weights holds, with an inert object for each tensor; nothing if it is damaged."""
    path = local_path(place)
    try:
        if path is None:
            return None
        found = path.stat()
        return _read_outline(path, (found.st_mtime_ns, found.st_size, found.st_ino))
    except Exception:  # noqa: BLE001 - a damaged pickle may raise anything; whoever loads the file says more
        return None


@lru_cache(maxsize=16)
def _read_outline(path: Path, state: tuple[int, int, int]) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            return _Outline(io.BytesIO(archive.read(name))).load()
    with path.open("rb") as file:
        if (length := int.from_bytes(file.read(8), "little")) < path.stat().st_size and file.read(1) == b"{":
            # The header of safetensors; its metadata are texts.
            metadata = json.loads(b"{" + file.read(length - 1)).get("__metadata__", {})
            return {name: json.loads(text) for name, text in metadata.items() if name == "pretrained_cfg"}
        file.seek(0)
        first = _Outline(file).load()
        if first != _LEGACY_MAGIC:
            return first
        for _ in range(_LEGACY_PICKLES_BEFORE):
            found = _Outline(file).load()
        return found


class _Inert:
    """Stands for an object of any class; it takes whatever a pickle gives it, and keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of any class."""

    def take(self, *args: Any) -> None:
        """Forget the arguments."""

    __setstate__ = __setitem__ = append = extend = add = take


class _Outline(pickle.Unpickler):
    """Reads mappings and plain values; runs no code of the file or of any package."""

    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else _Inert

    def persistent_load(self, pid: Any) -> Any:
        return None
