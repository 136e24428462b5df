"""Make a process die with its parent, however the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

POLL_S = 0.5
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PARENT = "LSBENCH_PARENT"


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment for a child that dies with this process.

    Args:
        **more: Variables to add or override.
    """
    return {**os.environ, **more, PARENT: str(os.getpid())}


def die_with_parent() -> None:
    """Have this process killed as soon as its parent is gone, or now if it already is.

    The parent must have started it with :func:`child_environment`. Linux does the rest itself, even while the
    process is stopped or deep in C code; elsewhere a thread polls.
    """
    parent = int(os.environ[PARENT])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)
