"""Arguments of models and mixers that name files or addresses, which a suite may not pass.

timm has many ways to load weights, and some of its versions run code that a file of weights holds. A suite
has one key for weights, ``model_args: {checkpoint: FILE}``, which lsbench itself reads: tensors only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lsbench.core.checkpoint_kinds import KINDS

#: The mappings of a suite whose entries reach a model or a mixer.
MODEL_ARGS = "model_args"
ARGUMENTS = (MODEL_ARGS, "mixer_args")
#: Places in a mapping: keys and indices.
Path = tuple[str | int, ...]

CHECKPOINT = "checkpoint"
#: Which of the two kinds of weights in a file: "ema" or "raw".
CHECKPOINT_WEIGHTS = "checkpoint_weights"
CURE = "name weights as model_args: {checkpoint: FILE}, which reads tensors only"
#: Names refused whatever their value: the arguments of timm that choose weights, and the fields of its cfgs.
_REFUSED = re.compile(
    r"pretrained_(?:cfg|cfg_overlay|model_args|filter_fn)|checkpoint_path|cache_dir|file|url|hf_hub_\w+"
    r"|state_dict|custom_load|model_name",
    re.I,
)
#: Last words of names that are refused with a text as value; `drop_path: 0.1` is something else.
_NAMES_A_PLACE = re.compile(
    r"(?:.*_)?(?:path|file|filename|url|uri|dir|folder|repo|hub|ckpt|checkpoint|weights)s?(?:_id|_name)?",
    re.I,
)
#: Texts that are an address, a source of timm's, or a file of weights.
_IS_A_PLACE = re.compile(
    r"(?s)\s*(?:[a-z][a-z0-9+.-]*://|file:|hf[-_]hub:|local-dir:).*"
    r"|.*\.(?:pth|pt|pth\.tar|ckpt|pkl|pickle|bin|npz|npy|safetensors|msgpack|h5|joblib)\s*",
    re.I,
)


def refused_arguments(arguments: Any, *, takes_checkpoint: bool) -> Iterator[tuple[Path, str]]:
    """Yield the place of each argument that may not be given, with the reason and the cure.

    Args:
        arguments: The arguments of a model or mixer, mappings and lists inside of them included.
        takes_checkpoint: Whether ``checkpoint`` is a key of them: for models, not for mixers.

    >>> list(refused_arguments({"drop_path": 0.1, "checkpoint": "a.pth"}, takes_checkpoint=True))
    []
    >>> next(refused_arguments({"checkpoint_path": "a.pth"}, takes_checkpoint=True))[0]
    ('checkpoint_path',)
    """
    if not isinstance(arguments, Mapping):
        return
    for key, value in arguments.items():
        name = str(key)
        if takes_checkpoint and name == CHECKPOINT:
            continue
        if takes_checkpoint and name == CHECKPOINT_WEIGHTS:
            if value not in KINDS or CHECKPOINT not in arguments:
                yield (name,), f"expected {' or '.join(KINDS)} beside a checkpoint, found {value!r}"
            continue
        if takes_checkpoint and name == "pretrained" and not isinstance(value, bool | None):
            yield (name,), f"expected true or false, found {value!r}; {CURE}"
            continue
        yield from _refused(name, value, (name,))


def _refused(name: str, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if _REFUSED.fullmatch(name):
        yield path, f"a suite may not choose where a model is loaded from; {CURE}"
    elif isinstance(value, str) and (_NAMES_A_PLACE.fullmatch(name) or _IS_A_PLACE.fullmatch(value)):
        yield path, f"a suite may not pass a file or an address to a model, found {value!r}; {CURE}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _refused(str(key), inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _refused(name, inner, (*path, index))
