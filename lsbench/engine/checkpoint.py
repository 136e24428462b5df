"""Checkpoints of a training: written atomically, loaded without running any code in them."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import torch

from lsbench.store.atomic import atomic_write

LAST, WEIGHTS = "checkpoints/last.pt", "checkpoints/weights.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that `path` holds the old checkpoint or the new one, never half of one."""
    with atomic_write(path) as file:
        torch.save(state, file)


def load(path: Path, *, device: str = "cpu") -> dict[str, Any] | None:
    """Return a checkpoint, or None if there is none or it cannot be read.

    Only tensors and plain values are loaded (``weights_only``).
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return state


def weights_sha256(state: dict[str, torch.Tensor]) -> str:
    """Return a hash of names, types, shapes and values of all tensors of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
