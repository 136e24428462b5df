"""Plug-ins of other packages, found through entry points and read from their source without importing them.

An entry point names a module, which assigns the constant of its kind (``METRIC = brier``), or the object
itself::

    [project.entry-points."lsbench.metrics"]
    brier = "acme_plugin.brier"            # the module
    brier_too = "acme_plugin.brier:brier"  # the object
"""

from __future__ import annotations

import ast
import importlib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from lsbench.core.errors import PluginError
from lsbench.core.module_files import mapped


@cache
def _all_entries(places: tuple[str, ...]) -> Any:
    """Return the entry points of all packages in the folders of the path, which are looked through once."""
    return entry_points()


@cache
def outside_plugins(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group by name; a name used by several packages has several."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    entries = _all_entries(tuple(sys.path)).select(group=group)
    for entry in sorted(entries, key=lambda entry: (entry.name, package_of(entry))):
        if entry not in found.get(entry.name, ()):
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def package_of(entry: EntryPoint) -> str:
    """Return the name and version of the package that an entry point belongs to."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"


def describe_entry(entry: EntryPoint) -> str:
    """Return a description of an entry point and its package, for messages."""
    return f"entry point {entry.group}: {entry.name} = {entry.value} of {package_of(entry)}"


def import_module(entry: EntryPoint, kind: str) -> ModuleType:
    """Import the module of an entry point and return it.

    Raises:
        PluginError: If it cannot be imported; the message is one line that names the entry point.
    """
    try:
        module = importlib.import_module(entry.module)
        named = _attribute(module, entry.attr) if entry.attr else module
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or "no message"
        raise PluginError(
            f"{kind} '{entry.name}' ({describe_entry(entry)}) cannot be imported: "
            f"{type(error).__name__}: {reason}"
        ) from error
    return named if isinstance(named, ModuleType) else module


def load_object(entry: EntryPoint, kind: str, attribute: str) -> Any:
    """Return the object of an entry point: the one it names, or the constant of the module it names.

    Args:
        entry: The entry point.
        kind: Name of the kind of plug-in, for messages.
        attribute: The constant that a module of this kind assigns.

    Raises:
        PluginError: If it cannot be imported, or the module lacks the constant.
    """
    module = import_module(entry, kind)
    named = _attribute(importlib.import_module(entry.module), entry.attr) if entry.attr else module
    if not isinstance(named, ModuleType):
        return named
    if not hasattr(named, attribute):
        raise PluginError(
            f"{kind} '{entry.name}' ({describe_entry(entry)}): expected the module {named.__name__} to "
            f"assign {attribute}, found no such constant; assign it, or name the object in the entry point"
        )
    return getattr(named, attribute)


def _attribute(found: Any, path: str) -> Any:
    for name in path.split("."):
        found = getattr(found, name)
    return found


def first_docstring_line(entry: EntryPoint) -> str:
    """Return the first docstring line of the object or module of an entry point; empty if there is none.

    It is read from the source: nothing is imported.
    """
    tree = source_tree(entry)
    if tree is None:
        return ""
    nodes: list[ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef | ast.Module] = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == entry.attr
    ]
    texts = [ast.get_docstring(node) for node in [*nodes, tree]]
    return next((text.splitlines()[0].strip() for text in texts if text), "")


def source_tree(entry: EntryPoint) -> ast.Module | None:
    """Return the syntax tree of an entry point's module, or None if there is no readable source."""
    file = source_file(entry.module)
    if file is None or file.suffix != ".py":
        return None
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None


def literal_constant(entry: EntryPoint, name: str) -> Any:
    """Return the value of a module's constant that is written as a literal, or None."""
    tree = source_tree(entry)
    for node in [] if tree is None else tree.body:
        target, value = None, None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign):
            target, value = node.target, node.value
        if isinstance(target, ast.Name) and target.id == name and value is not None:
            try:
                return ast.literal_eval(value)
            except ValueError:
                return None
    return None


def source_file(module: str) -> Path | None:
    """Return the file of a module without importing its parent packages; None if it is not found."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return None if spec.origin is None else Path(spec.origin)
    for place in spec.submodule_search_locations or ():
        path = Path(place).joinpath(*rest)
        for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if file.is_file():
                return file
    spec = mapped(module)
    return Path(spec.origin) if spec is not None and spec.origin else None
