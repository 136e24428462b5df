"""Check an entry point of another package from its source alone, as long as nothing may be imported.

Only what is certain is a problem: names that a module may bind in a way that its source does not show are
taken to be there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

from lsbench.core.entry_points import describe_entry, source_file, source_tree


def shape_problem(entry: EntryPoint, kind: str, attribute: str) -> str | None:
    """Return one line if importing an entry point cannot give a plug-in, else None.

    Args:
        entry: The entry point.
        kind: Name of the kind of plug-in, for the message.
        attribute: The constant that a module of this kind assigns; empty if importing it is enough.
    """
    where = f"{kind} '{entry.name}' ({describe_entry(entry)})"
    if _is_absent(entry.module):
        return f"{where}: there is no module {entry.module}; install its package again"
    wanted = entry.attr.partition(".")[0] if entry.attr else attribute
    tree = source_tree(entry)
    if not wanted or tree is None or _may_bind(tree, wanted) or _has_submodule(entry.module, wanted):
        return None
    if entry.attr:
        return f"{where}: expected {wanted} in {entry.module}, found no such name; correct the entry point"
    return (
        f"{where}: expected the module {entry.module} to assign {attribute}, found no such constant; assign "
        "it, or name the object in the entry point"
    )


def _is_absent(module: str) -> bool:
    """Return whether a module can certainly not be imported."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return True
    if spec is None:
        return True
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    if not rest or not places or not all(place.is_dir() for place in places):
        return False
    return not any(
        found
        for place in places
        for found in place.joinpath(*rest[:-1]).glob(f"{rest[-1]}*")
        if found.name.partition(".")[0] == rest[-1]
    )


def _has_submodule(module: str, name: str) -> bool:
    file = source_file(module)
    return file is not None and any(file.parent.glob(f"{name}*"))


def _may_bind(tree: ast.Module, name: str) -> bool:
    """Return whether a module may have an attribute: its source names it in any way, or hides its names."""
    return any(word in (name, "*", "__getattr__") for node in ast.walk(tree) for word in _words(node))


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
