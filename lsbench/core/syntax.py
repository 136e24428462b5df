"""Hash Python source by its syntax tree: comments, docstrings and formatting change nothing.

The walk is lsbench's own, as the output of :func:`ast.dump` differs among versions of Python. It leaves out
positions, docstrings and other statements without an effect, type comments, and everything that is empty or
at its default, so that fields that a newer Python adds change nothing.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

#: Fields without an influence on what runs.
LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
OPEN, CLOSE = "(", ")"


def parse(source: bytes) -> ast.Module:
    """Return the syntax tree of a file's content, in whatever encoding it declares.

    Raises:
        SyntaxError: If it is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the source: its author sees them when it is imported
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or nested too deeply
        raise SyntaxError(str(error) or type(error).__name__) from error


def syntax_hash(tree: ast.AST) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a syntax tree.

    >>> syntax_hash(parse(b"x = 1  # one")) == syntax_hash(parse(b"x=(1)"))
    True
    >>> syntax_hash(parse(b"x = 1")) == syntax_hash(parse(b"x = 1.0"))
    False
    """
    digest = hashlib.sha256()
    for word in _words(tree):
        content = word.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()[:16]


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield the tree as words. A stack instead of recursion: code may be nested deeply."""
    stack: list[Any] = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            yield part
        else:
            stack += reversed(list(_parts(part)))


def _parts(part: Any) -> Iterator[Any]:
    """Yield a node, a list or a value as words and smaller parts."""
    if isinstance(part, ast.JoinedStr):
        part = _joined(part)
    if isinstance(part, ast.Constant):
        yield from (OPEN, "Constant", _value(part.value), CLOSE)
    elif isinstance(part, ast.AST):
        yield from (OPEN, type(part).__name__)
        for name in sorted(set(part._fields) - LEFT_OUT):
            value = _effective(name, getattr(part, name, None))
            if value is not None and value != []:
                yield from (name, value if isinstance(value, list | ast.AST) else _value(value))
        yield CLOSE
    elif isinstance(part, list):
        yield from ("[", *(item if isinstance(item, ast.AST) else _value(item) for item in part), "]")


def _effective(name: str, value: Any) -> Any:
    """Return the value of a field without what has no effect: lone constants, `pass`, an empty format."""
    if name == "format_spec" and isinstance(value, ast.JoinedStr):
        joined = _joined(value)
        return None if isinstance(joined, ast.Constant) and not joined.value else joined
    if isinstance(value, list):
        return [item for item in value if not _is_idle(item)]
    return value


def _is_idle(item: Any) -> bool:
    is_lone_constant = isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)
    return is_lone_constant or isinstance(item, ast.Pass)


def _joined(text: ast.JoinedStr) -> ast.expr:
    """Return an f-string with neighbouring texts joined, which versions of Python split in their own ways.

    Without any expression it is a plain text.
    """
    parts: list[ast.expr] = []
    for part in _flat(text.values):
        last = parts[-1] if parts else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            parts[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not isinstance(part, ast.Constant) or part.value:
            parts.append(part)
    if not parts:
        return ast.Constant("")
    return parts[0] if isinstance(parts[0], ast.Constant) and len(parts) == 1 else _Joined(parts)


class _Joined(ast.expr):
    """An f-string whose texts are joined."""

    _fields = ("values",)

    def __init__(self, values: list[ast.expr]) -> None:
        super().__init__()
        self.values = values


def _flat(parts: Iterable[ast.expr]) -> Iterator[ast.expr]:
    for part in parts:
        if isinstance(part, ast.JoinedStr):
            yield from _flat(part.values)
        else:
            yield part


def _value(value: Any) -> str:
    """Return a name or constant as text that is the same under every Python; its type is its first word."""
    kind = type(value).__name__
    if isinstance(value, str):
        return f"{kind} {value}"
    if isinstance(value, bytes):
        return f"{kind} {value.hex()}"
    if isinstance(value, complex):
        return f"{kind} {value.real.hex()} {value.imag.hex()}"
    if isinstance(value, float):
        return f"{kind} {value.hex()}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{kind} {value:x}"
    return f"{kind} {value}"
