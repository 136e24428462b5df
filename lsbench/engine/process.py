"""Put the process of a job into a known state: threads, device, determinism, random streams."""

from __future__ import annotations

import ctypes
import os
import random
import socket

import numpy as np
import torch

from lsbench.core.errors import DeviceLostError

#: glibc's numbers of trim threshold, padding at the top and mmap threshold (at most 32 MiB) -> bytes.
_MALLOC_OPTIONS = {-1: 1 << 30, -2: 1 << 26, -3: 1 << 25}


def prepare_process(*, threads: int, seed: int, wants_gpu: bool | None, share: float = 1.0) -> str:
    """Set threads, seeds and deterministic algorithms; return ``"cuda"`` or ``"cpu"``.

    With several ranks on a node each takes a GPU of its own, which ``"cuda"`` then refers to.

    Args:
        threads: CPU threads inside one operator. They change the order of sums, and hence results.
        seed: Seed of all global random streams.
        wants_gpu: Whether the job was given a GPU, or else runs on the CPU; None: the GPU if there is one.
        share: Most of the GPU's memory that torch may take, as a fraction of all of it.

    Raises:
        DeviceLostError: If the job was given a GPU, and torch does not see it.
    """
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor with NaN only shows operators that read what nothing wrote: 950 fills a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    seed_everything(seed)
    if wants_gpu is False or (wants_gpu is None and not torch.cuda.is_available()):
        return "cpu"
    number, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= found:
        raise DeviceLostError(f"{socket.gethostname()}: {why_no_gpu(number, found)}")
    torch.cuda.set_device(number)
    had_less = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # by an earlier job, inline
    if share < 1 or had_less:
        torch.cuda.set_per_process_memory_fraction(share)
    return "cuda"


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees, where the C library can (glibc).

    By default it returns what a training step frees to the system and gets it back in the next step, page by
    page: about 5 % of a small model's step. The process keeps as much as its largest step has needed.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    for option, value in _MALLOC_OPTIONS.items():
        set_option(option, value)


def why_no_gpu(number: int, found: int) -> str:
    """Return why torch does not see a GPU that the job was given.

    Args:
        number: Number of the GPU, from 0.
        found: GPUs that torch sees.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    asked = f"the job was given {number + 1} GPU{'s' if number else ''} (visible: {visible or 'none'})"
    if found:
        return f"{asked} and torch sees {found}"
    if (kind := unsupported_device()) is not None:
        return f"{asked}, and torch sees one of {kind}, which lsbench does not support; set `num_gpus: 0`"
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return f"{asked}, and torch {torch.__version__} is built without CUDA; install a build that has it"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return f"{asked}, and torch {torch.__version__} sees none: {str(error).strip().splitlines()[0]}"
    return f"{asked}, and torch {torch.__version__} sees none"


def unsupported_device() -> str | None:
    """Return the kind of a GPU that torch sees here and lsbench does not support, or None."""
    if torch.backends.mps.is_available():
        return "MPS"
    return "XPU" if torch.xpu.is_available() else None


def seed_everything(seed: int) -> None:
    """Seed the global random streams of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed % 2**63)


def device_name(device: str) -> str | None:
    """Return the GPU's name, or None on the CPU."""
    return torch.cuda.get_device_name() if device == "cuda" else None
