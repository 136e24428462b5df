"""The state of every global random stream, as plain values that a checkpoint can hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def read_random_state(device: str = "cpu") -> dict[str, Any]:
    """Return the state of the streams of Python, NumPy and PyTorch.

    Args:
        device: ``"cuda"`` includes the current device's stream.
    """
    name, keys, position, has_gauss, gauss = np.random.get_state()
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [str(name), torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if device == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def put_random_state(state: dict[str, Any]) -> None:
    """Restore a state that :func:`read_random_state` returned."""
    version, numbers, gauss_next = state["python"]
    random.setstate((version, tuple(numbers), gauss_next))
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu())


@contextmanager
def same_randomness_afterwards() -> Iterator[None]:
    """Restore the CPU's streams after the block."""
    state = read_random_state()
    try:
        yield
    finally:
        put_random_state(state)
