"""The backbone of a detector or segmenter: timm's feature extractor, with the weights of a whole model.

An extractor names weights in its own way: below ``model.``, or with parts of the model taken out of it, so
that ``stages.0`` is ``stages_0``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.checkpoints import misfits
from lsbench.models.factory import create_model


def create_extractor(name: str, *, checkpoint: str | None = None, **arguments: Any) -> nn.Module:
    """Return timm's feature extractor around a model.

    Args:
        name: As for :func:`lsbench.models.factory.create_model`.
        checkpoint: File or address of weights of the model, a classifier for example.
        arguments: Further arguments of the same function, but the classes.

    Raises:
        ConfigError: As that function.
    """
    extractor = create_model(name, num_classes=0, features_only=True, **arguments)
    if checkpoint is not None:
        whole = create_model(name, num_classes=0, checkpoint=checkpoint, **arguments)
        try:
            hand_over(whole, extractor)
        except ValueError as error:
            raise ConfigError(f"model '{name}': its feature extractor is not made of it: {error}") from error
    return extractor


def hand_over(whole: nn.Module, extractor: nn.Module) -> None:
    """Copy the weights of a model into a feature extractor of its kind, which may lack its last parts.

    Raises:
        ValueError: If the extractor has a weight that the model lacks.
    """
    own = extractor.state_dict()
    found = {}
    for name, tensor in whole.state_dict().items():
        for other in _names_in_extractors(name):
            if other in own:
                found[other] = tensor
                break
    if problems := misfits(found, own):
        raise ValueError("; ".join(problems))
    with torch.no_grad():
        extractor.load_state_dict(found)


def _names_in_extractors(name: str) -> Iterator[str]:
    """Yield the names that a weight may have in an extractor.

    >>> list(_names_in_extractors("stages.0.bias"))
    ['stages.0.bias', 'model.stages.0.bias', 'stages_0.bias', 'stages_0_bias']
    """
    yield name
    yield f"model.{name}"
    for count in range(1, name.count(".") + 1):
        yield name.replace(".", "_", count)
