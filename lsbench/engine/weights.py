"""Trained weights: written atomically, loaded without running any code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from lsbench.core.atomic import atomic_write
from lsbench.core.errors import StoreError
from lsbench.engine.sealed_file import read_state, write_state
from lsbench.models.checkpoints import misfits
from lsbench.models.earlier_weights import upgraded
from lsbench.store import job_files

WEIGHTS, EMA = job_files.WEIGHTS, job_files.EMA


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that `path` holds the old content or the new one, never a part of it.

    Raises:
        DiskFullError: If there is no space left.
    """
    with atomic_write(path) as file:
        write_state(file, state)


def load(path: Path, *, device: str = "cpu") -> dict[str, Any] | None:
    """Return the weights in a file, or None if it is missing or unreadable.

    Only tensors and plain values are loaded (``weights_only``).
    """
    try:
        state: dict[str, Any] = read_state(path.read_bytes(), device=device)
    except (FileNotFoundError, StoreError):
        return None
    return state


def load_weights(
    model: nn.Module, state: dict[str, torch.Tensor], *, where: str, is_trained_on: bool = False
) -> None:
    """Load weights into a model of the same architecture.

    Args:
        model: The model.
        state: Its weights by name.
        where: Source of the weights, for the message.
        is_trained_on: Whether the training goes on, so that the model must not have another form since.

    Raises:
        StoreError: If they belong to another architecture: the number of differing names and the first of
            them.
    """
    found = state if is_trained_on else upgraded(model, state)
    if problems := misfits(found, model.state_dict()):
        lines = (
            f"{where}: the checkpoint is of another architecture than the model:",
            *(f"  {problem}" for problem in problems),
            "remove it to train anew, or put the model's code back",
        )
        raise StoreError("\n".join(lines))
    model.load_state_dict(state)
