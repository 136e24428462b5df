"""Make a process die with its parent, however the parent ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path

POLL_S = 0.5
#: How often children are killed that show up as others end, and the seconds between.
ROUNDS, ROUND_S = 100, 0.01
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
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
    die_with(int(os.environ[PARENT]))


def die_with(parent: int) -> None:
    """Have this process killed as soon as its parent is gone, or now if another one is its parent already.

    Args:
        parent: The process that started this one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, also of those in another session; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def own_children() -> set[int]:
    """Return the processes whose parent is this one; none where the system does not tell."""
    try:
        tasks = [task / "children" for task in Path("/proc/self/task").iterdir()]
        return {int(pid) for task in tasks for pid in task.read_text().split()}
    except OSError:
        return set()


def end_children(kept: Collection[int]) -> None:
    """Kill the children of this process, and those that it adopts by that, but for some.

    Args:
        kept: Children that live on.
    """
    for _ in range(ROUNDS):
        others = own_children() - set(kept)
        if not others:
            return
        for pid in others:
            with contextlib.suppress(ProcessLookupError, ChildProcessError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(ROUND_S)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)
