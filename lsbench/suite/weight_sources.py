"""Find arguments that a suite may not give to a model or mixer: files, addresses, what lsbench sets."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from lsbench.core.weight_sources import ARGUMENTS, MODEL_ARGS, Path, refused_arguments
from lsbench.suite.problems import Problems

#: Argument of a model -> where its value comes from.
SET_BY_LSBENCH = {
    "name": "give it as `model` of the variant",
    "mixer": "give it as `mixer` of the variant",
    "mixer_args": "give it as `mixer_args` of the variant",
    "num_classes": "it is that of the data set; leave it out",
    "img_size": "give it as `img_size` of the data set",
    "in_chans": "images have three channels; leave it out",
    "features_only": "a variant's model gives logits; leave it out",
}


def check_weight_sources(data: Any, problems: Problems) -> None:
    """Note each argument of a model or mixer that names a file or an address, or that lsbench sets.

    Args:
        data: Content of a suite file, or a part of it: defaults, rows, matrices, presets, settings of jobs.
        problems: Where problems are noted.
    """
    for place, reason in _found(data, ()):
        problems.add(place, reason)


def _found(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    steps = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        names = str(step).split(".")  # the axis of a matrix may be dotted
        kind = next((name for name in names if name in ARGUMENTS), None)
        if kind is None:
            yield from _found(value, (*path, step))
        else:
            yield from _refused(kind, names[names.index(kind) + 1 :], value, (*path, step))


def _refused(kind: str, inside: list[str], value: Any, place: Path) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with arguments; an axis of a matrix lists several, or the values of one."""
    for given in value if isinstance(value, list) else [value]:
        arguments = functools.reduce(lambda value, name: {name: value}, reversed(inside), given)
        for path, reason in refused_arguments(arguments, takes_checkpoint=kind == MODEL_ARGS):
            yield (place if inside or isinstance(value, list) else (*place, *path)), reason
        for name in SET_BY_LSBENCH if kind == MODEL_ARGS and isinstance(arguments, Mapping) else ():
            if name in arguments:
                path = place if inside or isinstance(value, list) else (*place, name)
                yield path, f"lsbench sets this argument itself: {SET_BY_LSBENCH[name]}"
