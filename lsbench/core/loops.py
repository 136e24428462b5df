"""Compile loops with numba, and keep the machine code in lsbench's own cache folder.

numba alone would keep it beside the source, which a container's user often cannot write, and then in the home
folder, which may not exist.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from lsbench.core.cache_root import cache_root, is_writable
from lsbench.core.waits import announce

#: numba makes its settings when it is imported, so they have no types.
_config: Any = numba.config
_register: Any = event.register


class _Compiling(event.Listener):
    """Tells when numba begins to compile a loop; what it finds on disk takes no time.

    Within a loop it compiles those that the loop calls, one at a time in all threads together.
    """

    def __init__(self) -> None:
        self._depth = 0

    def on_start(self, event: Any) -> None:
        """Name the loop that was called."""
        if self._depth == 0:
            loop = event.data["dispatcher"].py_func
            file = loop.__module__.rpartition(".")[2]
            announce(f"compiling {loop.__name__} of {file}, once on this machine")
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """Come back to the loop that called this one."""
        self._depth -= 1


_register("numba:compile", _Compiling())


def loop_compiler(*shared: str, **options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function on its first call and keeps the result on disk.

    Args:
        *shared: Files of functions that loops in other files call: numba checks only the file of a loop, so
            each content of these has its own folder.
        **options: Further options of ``numba.njit``.
    """

    def compile_loop(function: Any) -> Any:
        before, _config.CACHE_DIR = _config.CACHE_DIR, str(loops_folder(*shared))
        try:
            return numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
        finally:
            _config.CACHE_DIR = before

    return compile_loop


def make_ready() -> None:
    """Import and register what numba needs to find compiled loops, which it does at the first call of one.

    It takes a few tenths of a second, which a process that is forked afterwards saves.
    """
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def loops_folder(*shared: str) -> Path:
    """Return the folder of compiled loops: in ``$NUMBA_CACHE_DIR`` if it can be written, else in the cache.

    Args:
        *shared: As for :func:`loop_compiler`.

    Raises:
        DataError: If no cache can be written.
    """
    content = hashlib.sha256(b"".join(Path(file).read_bytes() for file in shared)).hexdigest()
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(chosen)] if chosen and os.path.isabs(chosen) else []
    root = cache_root()
    own = root / f"loops-{os.getuid()}" / content[:12]  # in a cache that several users share
    folders = (place / content[:12] for place in (*places, root / "loops"))
    return next((folder for folder in folders if is_writable(folder)), own)


def try_loops() -> Path:
    """Compile a loop, keep it on disk and read it again; return the folder.

    Raises:
        DataError: If no cache can be written.
        OSError: If the loop cannot be kept.
        RuntimeError: If it cannot be read again.
    """
    for _ in range(2):
        loop = loop_compiler(__file__)(_doubled)
        loop(1)
    folder = loops_folder(__file__)
    if not loop.stats.cache_hits or not any(folder.rglob("*.nbi")):
        raise RuntimeError(f"a loop kept in {folder} was not found again")
    return folder


def _doubled(value: int) -> int:
    return 2 * value
