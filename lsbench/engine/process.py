"""Put the process of a job into a known state: threads, device, determinism, random streams."""

from __future__ import annotations

import os
import random

import numpy as np
import torch


def prepare_process(*, threads: int, seed: int, wants_gpu: bool) -> str:
    """Set threads, seeds and deterministic algorithms; return ``"cuda"`` or ``"cpu"``.

    With several ranks on a node each takes a GPU of its own, which ``"cuda"`` then refers to.

    Args:
        threads: CPU threads inside one operator. They change the order of sums, and hence results.
        seed: Seed of all global random streams.
        wants_gpu: Whether the job was given a GPU; otherwise it runs on the CPU.
    """
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor with NaN only shows operators that read what nothing wrote: 950 fills a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    seed_everything(seed)
    if not wants_gpu or not torch.cuda.is_available():
        return "cpu"
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return "cuda"


def seed_everything(seed: int) -> None:
    """Seed the global random streams of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed % 2**63)


def device_name(device: str) -> str | None:
    """Return the GPU's name, or None on the CPU."""
    return torch.cuda.get_device_name() if device == "cuda" else None
