"""Where the files of modules lie, and whether they are as they were; nothing is imported."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
)
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import ParamSpec, TypeVar, cast

from lsbench.core.imports import Facts, read_facts

OWN = "lsbench"
#: In the order in which Python looks for a module.
SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
#: A file younger than this may change without a new time of change: clocks of file systems are coarse.
COARSE_NS = 3 * 10**9

#: What tells that a file is as it was: its times, size and number; None for no file.
Signature = tuple[int, int, int, int] | None
#: Where a module lies: folders of a package, or a file.
Where = tuple[tuple[str, ...] | None, str | None] | None


class _Seen:
    """What has been looked at since the last time that everything was forgotten, and how it was."""

    def __init__(self) -> None:
        self.files: dict[Path, Signature] = {}
        self.folders: dict[Path, frozenset[str]] = {}
        self.specs: dict[str, Where] = {}
        self.begin()

    def begin(self) -> None:
        """Forget all, and begin anew."""
        self.path, self.finders, self.newest = tuple(sys.path), tuple(sys.meta_path), 0
        for one in (self.files, self.folders, self.specs):
            one.clear()

    def is_unchanged(self) -> bool:
        """Return whether all of it is as it was, beyond doubt."""
        return (
            self.newest < time.time_ns() - COARSE_NS
            and (self.path, self.finders) == (tuple(sys.path), tuple(sys.meta_path))
            and all(_signature(file) == one for file, one in self.files.items())
            and all(_listed(folder) == names for folder, names in self.folders.items())
            and all(_where(name) == place for name, place in self.specs.items())
        )


P = ParamSpec("P")
T = TypeVar("T")
_seen = _Seen()
_caches: list[Callable[[], None]] = []


def kept_while_files_stay(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function returns until :func:`forget_changed` finds a change; a decorator."""
    kept = cache(function)
    _caches.append(kept.cache_clear)
    return cast("Callable[P, T]", kept)


def forget_changed() -> None:
    """Look whether a file was added, edited or removed, or may have been; if so, forget what was kept."""
    if not _seen.is_unchanged():
        _seen.begin()
        for clear in _caches:
            clear()


@kept_while_files_stay
def module_file(module: str) -> Path | None:
    """Return the file of a module: source, compiled, or the ``__init__`` of a package; None without one."""
    for path in places(module):
        for folder, stem in ((path, "__init__"), (path.parent, path.name)):
            names = names_in(folder)
            for suffix in SUFFIXES:
                if stem + suffix in names and _note_file(folder / (stem + suffix)):
                    return folder / (stem + suffix)
    return None


@kept_while_files_stay
def facts_of(file: Path) -> Facts:
    """Return the facts of a file that :func:`module_file` has found.

    Raises:
        PluginError: As :func:`lsbench.core.imports.read_facts`.
    """
    return read_facts(file)


@kept_while_files_stay
def names_in(folder: Path) -> frozenset[str]:
    """Return the names in a folder; none if there is no such folder."""
    _seen.folders[folder] = found = _listed(folder)
    return found


@kept_while_files_stay
def places(module: str) -> tuple[Path, ...]:
    """Return where a module may lie: folders of a package, or files without their suffix."""
    parent, _, name = module.rpartition(".")
    # No install maps single modules of lsbench.
    is_looked_for = not parent or module.partition(".")[0] != OWN
    where = _note_spec(module) if is_looked_for else None
    if where is None:
        return tuple(place / name for place in places(parent)) if parent else ()
    folders, origin = where
    if folders is not None:
        return tuple(map(Path, folders))
    file = Path(origin) if origin else None
    return (file.with_name(file.name.partition(".")[0]),) if file else ()


def _note_file(file: Path) -> bool:
    """Return whether a file is there, and note how it is."""
    _seen.files[file] = found = _signature(file)
    _seen.newest = max(_seen.newest, *(found or (0,))[:2])
    return found is not None


def _signature(file: Path) -> Signature:
    try:
        found = os.stat(file)
    except OSError:
        return None
    is_file = S_ISREG(found.st_mode)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino) if is_file else None


def _listed(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _note_spec(module: str) -> Where:
    _seen.specs[module] = found = _where(module)
    return found


def _where(module: str) -> Where:
    """Return where a top-level module lies, or one that an editable install maps; None if that is unknown."""
    spec = mapped(module) if "." in module else _found(module)
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    return None if folders is None else tuple(folders), spec.origin


def _found(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError):
        return None


def mapped(module: str) -> ModuleSpec | None:
    """Return where an editable install maps a module inside of a package to, if it does."""
    for finder in sys.meta_path:
        if finder not in (BuiltinImporter, FrozenImporter, PathFinder):
            # Without a path, only what the finder itself knows is found; nothing is imported.
            with suppress(Exception):
                if (spec := finder.find_spec(module, [])) is not None:
                    return spec
    return None
