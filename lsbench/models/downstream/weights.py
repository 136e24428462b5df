"""Load the weights of a whole detector or segmenter, from the authors' files or ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lsbench.core.errors import ConfigError
from lsbench.detection.settings import Task
from lsbench.models.checkpoint_files import read_checkpoint
from lsbench.models.checkpoint_layouts import unwrap
from lsbench.models.checkpoints import local_file, misfits
from lsbench.models.downstream.key_map import CLASSIFIERS, authors_classifier, from_authors, to_authors
from lsbench.models.downstream.model import DownstreamModel

#: End of the name of an attention's indices of offsets.
INDICES = ".attention_bias_idxs"


def load_downstream(task: Task, model: DownstreamModel, path_or_url: str | Path) -> None:
    """Load all weights of a model from a file, which names them as the authors do or as we do.

    Args:
        task: The model's task.
        model: The model.
        path_or_url: A file of ``torch.save`` or of safetensors, or the address of one. Only tensors and plain
            values are read.

    Raises:
        ConfigError: If the file cannot be read safely, is of another task, has other classes, or lacks a
            weight or knows one more; the problems in one line.
    """
    checkpoint = read_checkpoint(local_file(path_or_url))
    try:
        state = {**_numbering(model), **_state_of(checkpoint, task, model)}
        problems = _problems(state, task, model)
    except ValueError as error:
        problems = [str(error)]
    if problems:
        reasons = "; ".join(problems)
        raise ConfigError(f"checkpoint '{path_or_url}' does not fit {task} of these sizes: {reasons}")
    model.load_state_dict(state)


def _numbering(model: DownstreamModel) -> dict[str, Tensor]:
    """Return the indices of offsets, which follow from a map's size: a file may leave them out."""
    return {name: tensor for name, tensor in model.state_dict().items() if name.endswith(INDICES)}


def _state_of(checkpoint: Any, task: Task, model: DownstreamModel) -> dict[str, Tensor]:
    """Return a file's weights under our names, whichever names it has."""
    theirs, ours = to_authors(task, model), model.state_dict()
    found = {id(names): unwrap(checkpoint, names)[0] for names in (theirs, ours)}
    if len(found[id(theirs)].keys() & theirs.keys()) >= len(found[id(ours)].keys() & ours.keys()):
        return from_authors(task, model, found[id(theirs)])
    return found[id(ours)]


def _problems(state: Mapping[str, Tensor], task: Task, model: DownstreamModel) -> list[str]:
    """Return the reasons why weights do not fit a model; none if they do."""
    own = model.state_dict()
    if CLASSIFIERS[task] not in state:
        found = [other for other in CLASSIFIERS if _has_classifier(state, other)]
        if found:
            return [f"it is of {found[0]}"]
        return [f"it has no classifier '{CLASSIFIERS[task]}' ('{authors_classifier(task)}' of the authors)"]
    found_size, own_size = (len(weights[CLASSIFIERS[task]]) for weights in (state, own))
    if found_size != own_size:
        background = int(task == "maskrcnn")
        has = (found_size - background) * model.num_classes // (own_size - background)
        return [f"its head has {has} classes instead of {model.num_classes}"]
    return misfits(state, own)


def _has_classifier(state: Iterable[str], task: Task) -> bool:
    return any(name in (CLASSIFIERS[task], authors_classifier(task)) for name in state)
