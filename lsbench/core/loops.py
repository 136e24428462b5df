"""Compile loops with numba, and keep the machine code in lsbench's own cache folder.

numba alone would keep it beside the source, which a container's user often cannot write, and then in the home
folder, which may not exist.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
from numba.core import event
from numba.core.serialize import ReduceMixin
from numba.extending import register_jitable

from lsbench.core.cache_root import cache_root, is_writable
from lsbench.core.waits import announce

#: numba makes its settings when it is imported, so they have no types.
_config: Any = numba.config
_register: Any = event.register
#: No entry for C, which nobody calls.
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
#: Modules with functions that loops call and Python may call as well.
_with_helpers: set[str] = set()


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


def loop_compiler(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function on its first call and keeps the result on disk.

    numba checks the file of a loop alone. So there is a folder for each content of the other files with
    functions that loops of this file can call, which it has imported above the loop, and for all options.

    Args:
        **options: Further options of ``numba.njit``.
    """
    every = {**_OPTIONS, **options}
    told = repr(sorted((name, sorted(v) if isinstance(v, set) else v) for name, v in every.items())).encode()

    def compile_loop(function: Any) -> Any:
        shared = [Path(file).read_bytes() for file in _files_of_callees(function)]
        before, _config.CACHE_DIR = _config.CACHE_DIR, str(loops_folder(*shared, told))
        try:
            return numba.njit(cache=True, **every)(function)
        finally:
            _config.CACHE_DIR = before

    return compile_loop


def helper_compiler(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator for a function that loops call, which is compiled within each of them.

    It gets no entry for Python and no file on disk of its own, which saves a part of its time. Called from
    Python it is what is written there.

    Args:
        **options: Further options of ``numba.njit``.
    """

    def register(function: Any) -> Any:
        _with_helpers.add(function.__module__)
        return register_jitable(no_cpython_wrapper=True, **_OPTIONS, **options)(function)

    return register


def make_ready() -> None:
    """Import and register what numba needs to find compiled loops, which it does at the first call of one.

    It takes a few tenths of a second, which a process that is forked afterwards saves.
    """
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _files_of_callees(function: Any) -> list[str]:
    """Return the files, but for the function's own, of all that is compiled within loops of its file."""
    files, to_read = {function.__module__: ""}, [function.__globals__]
    for names in to_read:
        for value in list(names.values()):
            module = value if isinstance(value, ModuleType) else sys.modules.get(_module_of(value))
            if module and module.__name__ not in files and _has_loops(module):
                files[module.__name__] = str(module.__file__)
                to_read.append(vars(module))
    return sorted(filter(None, files.values()))


def _has_loops(module: ModuleType) -> bool:
    if module.__name__.startswith("numba."):  # whose version numba checks
        return False
    return module.__name__ in _with_helpers or any(
        isinstance(value, ReduceMixin) and _module_of(value) == module.__name__
        for value in vars(module).values()
    )


def _module_of(value: Any) -> str:
    return str(getattr(value, "__module__", ""))


def loops_folder(*contents: bytes) -> Path:
    """Return the folder of compiled loops: in ``$NUMBA_CACHE_DIR`` if it can be written, else in the cache.

    Args:
        *contents: All on which the loops depend, but for their own file.

    Raises:
        DataError: If no cache can be written.
    """
    content = hashlib.sha256(b"\0".join(contents)).hexdigest()
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
        loop = loop_compiler()(_doubled)
        loop(1)
    folder = Path(loop.stats.cache_path or "nowhere").parent
    if not loop.stats.cache_hits or not any(folder.rglob("*.nbi")):
        raise RuntimeError(f"a loop kept in {folder} was not found again")
    return folder


def _doubled(value: int) -> int:
    return 2 * value
