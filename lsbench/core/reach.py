"""The files of its own package that a plug-in's code reaches by static imports; nothing is imported.

Its own package is its top-level package, and the modules beside that in a folder of source code, as in an
editable install; in ``site-packages``, strangers lie side by side.

Followed are imports anywhere in a file: absolute and relative, in functions, under `if` and `try`, and names
that a package imports in its ``__init__`` and offers again. The ``__init__`` files of the packages around a
module run before it, so they are reached too, and with them everything that they import, except other
plug-ins, whose import binds names that this plug-in does not use. Not followed are blocks under
``if TYPE_CHECKING``, which never run, and imports whose name is computed: not a text in the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path

from lsbench.core.imports import Imported
from lsbench.core.module_files import OWN, facts_of, kept_while_files_stay, module_file, names_in, places

#: A name that packages pass on is followed this far; more is a circle.
MOST_HOPS = 20
#: Folders of installed packages, where modules of different packages lie side by side.
SHARED = frozenset({"site-packages", "dist-packages", Path(os.__file__).parent.name})


@cache
def relative_name(module: str, file: Path) -> str:
    """Return the name of a module's file that is the same on every machine.

    >>> relative_name("acme.ops", Path("/site/acme/ops/__init__.py"))
    'acme/ops/__init__.py'
    """
    # Only the last suffix: others name a machine, as in x.cpython-311-x86_64-linux-gnu.so.
    return f"{module.replace('.', '/')}{'/__init__' if _is_package(file) else ''}{file.suffix}"


@cache
def _is_package(file: Path) -> bool:
    return file.name.partition(".")[0] == "__init__"


@dataclass
class ImportWalk:
    """A walk along imports from one plug-in.

    Attributes:
        plugins: Modules of plug-ins of the same package.
        is_wanted: Whether a module is part of the code; others are neither hashed nor followed.
        more: The modules that a module imports by computed names.
        files: Name of each file reached -> hash of its code.
    """

    plugins: frozenset[str]
    is_wanted: Callable[[str], bool] = lambda module: True
    more: Callable[[str], list[str]] = lambda module: []
    files: dict[str, str] = field(default_factory=dict)
    _paths: list[Path] = field(default_factory=list)
    _seen: set[tuple[str, bool]] = field(default_factory=set)

    @property
    def imports(self) -> dict[Imported, None]:
        """Every import in the files reached, those of other packages too."""
        return dict.fromkeys(one for file in self._paths for one in facts_of(file).imports)

    def follow(self, module: str, *, passes_plugins: bool = False) -> None:
        """Add a module, the packages around it, and everything that they import.

        Args:
            module: Full name of the module.
            passes_plugins: Whether plug-ins that it imports are passed by.
        """
        waiting = [(module, passes_plugins)]
        while waiting:
            name, passes = waiting.pop()
            if (name, passes) in self._seen or (name, False) in self._seen:
                continue
            file = module_file(name) if self.is_wanted(name) else None
            if file is None:
                waiting += _around(name, passes)
                continue
            self._seen.add((name, passes))
            self.files[relative_name(name, file)] = facts_of(file).hash
            self._paths.append(file)
            waiting += _around(name, passes)
            waiting += [(other, passes) for other in self.more(name)]
            providers, packages = _imported_by(name, file)
            found = [*((other, passes) for other in providers), *((base, True) for base in packages)]
            waiting += [pair for pair in found if not (passes and pair[0] in self.plugins)]


@kept_while_files_stay
def _imported_by(module: str, file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the modules that provide what a module imports, and those that its imports name.

    A package from which only a name is taken runs too, whatever else provides the name.
    """
    named = [(base, one) for one in facts_of(file).imports if (base := _base(module, file, one))]
    providers = (other for base, one in named for other in _providers(base, one, 0))
    return tuple(dict.fromkeys(providers)), tuple(dict.fromkeys(base for base, _ in named))


def _around(module: str, passes: bool) -> list[tuple[str, bool]]:
    """Return the packages around a module."""
    parent = module.rpartition(".")[0]
    return [(parent, True)] if parent else []


def targets(module: str, file: Path, one: Imported, _depth: int = 0) -> Iterator[str]:
    """Yield the modules of its own package that provide an imported name.

    Args:
        module: Full name of the importing module.
        file: Its file.
        one: The import.
    """
    base = _base(module, file, one)
    if base is not None:
        yield from _providers(base, one, _depth)


def _providers(base: str, one: Imported, depth: int) -> Iterator[str]:
    found = module_file(base)
    if not one.name or (found is not None and not _is_package(found)):
        yield base
        return
    inner = f"{base}.{one.name}"
    if one.name != "*" and module_file(inner) is not None:
        yield inner
    if found is not None:
        yield from _provided(base, found, one.name, module_file(inner) is not None, depth)


def _provided(base: str, file: Path, name: str, is_module: bool, depth: int) -> Iterator[str]:
    """Yield the modules from which a package gets a name that is imported from it."""
    facts = facts_of(file)
    bound = [one for one in facts.imports if one.bound == name]
    if name == "*":
        yield base
        yield from (inner for one in facts.exports if module_file(inner := f"{base}.{one}"))
    elif bound and depth < MOST_HOPS:
        for one in bound:
            yield from targets(base, file, one, depth + 1)
    elif not is_module and name not in facts.constants:
        yield base


def _base(module: str, file: Path, one: Imported) -> str | None:
    """Return the module that an import names, if it belongs to the same package."""
    base = absolute(module, one, is_package=_is_package(file))
    return base if base and _are_together(module.partition(".")[0], base.partition(".")[0]) else None


@kept_while_files_stay
def _are_together(one: str, other: str) -> bool:
    """Return whether two top-level names are the same, or lie side by side in somebody's own folder."""
    if one == other or OWN in (one, other):
        return one == other
    folders = ({place.parent for place in places(name)} for name in (one, other))
    return not all(map(_is_shared, set.intersection(*folders)))


def _is_shared(folder: Path) -> bool:
    """Return whether the packages in a folder may be of several projects."""
    is_installed = not folder.is_absolute() or bool(SHARED & {*folder.parts})
    return is_installed or sum(name.endswith(".dist-info") for name in names_in(folder)) > 1


def absolute(module: str, one: Imported, *, is_package: bool) -> str | None:
    """Return the full name of the module that an import names, or None if it lies outside of the package.

    >>> absolute("acme.ops.shift", Imported("tables", 2, "x", "x"), is_package=False)
    'acme.tables'
    """
    if one.level == 0:
        return one.module
    around = module.split(".") if is_package else module.split(".")[:-1]
    kept = len(around) - (one.level - 1)
    if kept < 1:
        return None
    return ".".join([*around[:kept], *filter(None, [one.module])])


def home_of(module: str, attribute: str) -> str:
    """Return the module that defines an object which a module offers, possibly imported from elsewhere."""
    file, name = module_file(module), attribute.partition(".")[0]
    for _ in range(MOST_HOPS):
        if file is None or not name or file.suffix not in SOURCE_SUFFIXES:
            break
        bound = [one for one in facts_of(file).imports if one.bound == name and one.name not in ("", "*")]
        found = [other for one in bound for other in targets(module, file, one)]
        if not found:
            break
        inner = absolute(module, bound[0], is_package=_is_package(file))
        if inner is not None and f"{inner}.{bound[0].name}" in found:
            return f"{inner}.{bound[0].name}"
        module, name, file = found[0], bound[0].name, module_file(found[0])
    return module
