"""What a Python file imports, and the hash of its code, read without running it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

from lsbench.core.atomic import write_text
from lsbench.core.cache_root import cache_root
from lsbench.core.errors import LsbenchError, PluginError
from lsbench.core.syntax import parse, syntax_hash

#: Raised whenever the same source would give other facts.
VERSION = 2
#: Functions that import the module that their first argument names.
IMPORTERS = ("import_module", "__import__")
#: The cache of facts is started anew beyond this number of files.
MOST_CACHED = 5000
#: Hashes of the content of files that this process has parsed since it last kept its facts.
_FOUND: set[str] = set()


class Imported(NamedTuple):
    """One imported name.

    Attributes:
        module: The module after ``import`` or ``from``; empty in ``from . import x``.
        level: Number of leading dots.
        name: The name after ``from ... import``; ``*`` for all; empty for ``import module``.
        bound: The name that the import binds.
    """

    module: str
    level: int
    name: str
    bound: str


class Facts(NamedTuple):
    """What is known of a file.

    Attributes:
        hash: Hash of its syntax tree; of its bytes if it is not Python source.
        imports: Everything that it imports by written names, at any depth, apart from blocks under
            ``if TYPE_CHECKING``.
        constants: The names that it assigns to literals.
        exports: The names in its ``__all__``, if that is a literal.
    """

    hash: str
    imports: tuple[Imported, ...] = ()
    constants: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()


def read_facts(path: Path) -> Facts:
    """Return the facts of a file. Those of earlier content are cached, by a hash of the content.

    Raises:
        PluginError: If it cannot be read, or is not valid Python.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PluginError(f"{path}: cannot be read ({error.strerror or error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix not in SOURCE_SUFFIXES:
        return Facts(digest[:16])
    known = _known()
    if digest not in known:
        try:
            known[digest] = find_facts(parse(content))
            _FOUND.add(digest)
        except SyntaxError as error:
            where = f"{path}:{error.lineno}" if error.lineno else str(path)
            raise PluginError(f"{where}: not valid Python ({error.msg}); correct the file") from error
    return known[digest]


def find_facts(tree: ast.Module) -> Facts:
    """Return the facts in a syntax tree.

    >>> find_facts(parse(b"from .shift import Shift as S")).imports
    (Imported(module='shift', level=1, name='Shift', bound='S'),)
    """
    literals = _literals(tree)
    told = literals.get("__all__")
    exports = tuple(map(str, told)) if isinstance(told, list | tuple) else ()
    return Facts(syntax_hash(tree), tuple(_imports(tree)), tuple(literals), exports)


def _imports(tree: ast.Module) -> Iterator[Imported]:
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            for one in node.names:
                yield Imported(one.name, 0, "", one.asname or one.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield Imported(node.module or "", node.level, one.name, one.asname or one.name)
        elif isinstance(node, ast.If) and _is_for_types(node.test):
            stack += reversed(node.orelse)
        else:
            yield from _called(node)
            stack += reversed([*ast.iter_child_nodes(node)])


def _is_for_types(test: ast.expr) -> bool:
    return _last_name(test) == "TYPE_CHECKING"


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else str(getattr(node, "id", ""))


def _called(node: ast.AST) -> Iterator[Imported]:
    """Yield the module that a call imports, if its name is written out."""
    if not isinstance(node, ast.Call) or _last_name(node.func) not in IMPORTERS or not node.args:
        return
    name, *others = (getattr(part, "value", None) for part in (*node.args, *(k.value for k in node.keywords)))
    if not isinstance(name, str):
        return
    module = name.lstrip(".")
    level = len(name) - len(module)
    package = next((other for other in others if isinstance(other, str)), "")
    if level and package:
        around = package.split(".")
        module = ".".join([*around[: len(around) - level + 1], *filter(None, [module])])
        level = 0
    yield Imported(module, level, "", "")


def _literals(tree: ast.Module) -> dict[str, Any]:
    """Return the names that a module assigns to literals, with their values."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            with suppress(ValueError, TypeError, MemoryError, RecursionError):
                value = ast.literal_eval(node.value)
                found |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return found


@cache
def _known() -> dict[str, Facts]:
    """Return the facts by hash of content, as the cache folder has them when the process first asks."""
    try:
        stored = json.loads(_cache_file().read_text(encoding="utf-8"))
        return {digest: _facts(values) for digest, values in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError, LsbenchError):
        return {}


def _facts(values: list[Any]) -> Facts:
    digest, imports, constants, exports = values
    return Facts(digest, tuple(Imported(*one) for one in imports), tuple(constants), tuple(exports))


def keep_facts() -> None:
    """Keep what this process has found in the cache folder, so that the next need not parse; best effort."""
    known = _known()
    if _FOUND and len(known) > MOST_CACHED:
        known.clear()
    if _FOUND:
        _FOUND.clear()
        with suppress(OSError, LsbenchError):
            write_text(_cache_file(), json.dumps(known))


def _cache_file() -> Path:
    return cache_root() / f"code_facts_{VERSION}.json"
