"""The hash of code: equal for what runs alike, other for what does not, the same under every Python."""

import ast
import sys

import pytest

from lsbench.core.syntax import parse, syntax_hash

SAMPLE = '''"""A module of many constructs."""
from __future__ import annotations

import os.path as path
from . import shift
from ..ops.shift import *

LIMITS = {"a": 1, **{"b": -2.5e-3}, "c": 1e999, "d": 3j, "e": 0xFFFF_FFFF_FFFF_FFFF_FFFF}
TEXTS = ["\\u00e9\\u0378\\x00", b"\\xff\\n", "a" "b", u"old", ..., None, True]


@path.lru
class Mixer(shift.Base, metaclass=type):
    """A docstring."""

    kernel: int = 5
    "a lone text"

    async def forward(self, x, /, y=1, *rest, dim: int = 2, other, **more) -> "Mixer":
        """Another."""
        async with x as a, y as (b, c):
            result = [i async for i in a if i if not b]
        try:
            x[1:2, ::3] @= ~y
        except* (ValueError, OSError) as error:
            raise RuntimeError(f"no {error!r:>{dim}} of {x=} {f'{y:.3f}'}" " at all") from error
        else:
            pass
        return await result if (n := len(rest)) > 3 else lambda *a, k=1: (yield)


def choose(case):
    match case:
        case {"kind": "a", **rest} if rest:
            return 1
        case [1, -2, *_] | Mixer(kernel=3) as found:
            return found
        case None | "text":
            return f"plain" f"{case}{{}}"
        case _:
            global LIMITS
            del LIMITS
            assert case, "message"
            while True:
                break
            else:
                nonsense = {*case}
'''


def hash_of(text):
    return syntax_hash(parse(text.encode()))


def test_the_hash_of_a_stored_example_is_the_same_under_every_python():
    assert hash_of(SAMPLE) == "f21d73faa62f6464"
    assert hash_of("") == "053978aaab03db2f"
    assert hash_of("x = f'{a}' 'b' f'c{d!s:{e}.{f}}'\n") == "b33c51380b6687b4"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "# a comment\nx = 1  # another\n"),
        ("x = [1, 2]\n", "x = [\n    1,\n    2,\n]\n"),
        ("x = 'a'\n", 'x = "a"\n'),
        ("x = 'ab'\n", "x = 'a' 'b'\n"),
        ("x = 1000\n", "x = (1_000)\n"),
        ("x = 1\n", "x = 1\r\n"),
        ("x = 1\n", "\ufeffx = 1\n"),
        ("def f():\n    return 1\n", 'def f():\n    """Say."""\n    return 1\n'),
        ("def f():\n    pass\n", 'def f():\n    """Say."""\n'),
        ("class A:\n    x = 1\n", 'class A:\n    x = 1\n    """What x is."""\n'),
        ("x = y  # type: int\n", "x = y\n"),
        ("f'{a:}'\n", "f'{a}'\n"),
        ("x = f'a' f'{b}'\n", "x = 'a' f'{b}'\n"),
        ("x = f'a'\n", "x = 'a'\n"),
    ],
)
def test_comments_docstrings_and_formatting_change_nothing(one, other):
    assert hash_of(one) == hash_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 5\n", "x = 9\n"),
        ("x = 1\n", "x = 1.0\n"),
        ("x = 1\n", "x = True\n"),
        ("x = 0.0\n", "x = -0.0\n"),
        ("x = 'a'\n", "x = b'a'\n"),
        ("x = 'None'\n", "x = None\n"),
        ("x = y\n", "x = 'y'\n"),
        ("def f(a, b=1): return a\n", "def f(a, *, b=1): return a\n"),
        ("if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n"),
        ("from .a import b\n", "from ..a import b\n"),
        ("from a import b\n", "from .a import b\n"),
        ("x = [[1], 2]\n", "x = [[1, 2]]\n"),
        ("x = {**a, 'b': 1}\n", "x = {a: a, 'b': 1}\n"),
        ("x = f'{a}b'\n", "x = f'{a!r}b'\n"),
        ("x = f'{a:3}'\n", "x = f'{a:4}'\n"),
        ("x: int\n", "x: str\n"),
        ("match x:\n    case None: a()\n", "match x:\n    case True: a()\n"),
        ("def f():\n    return 'a'\n", "def f():\n    'a'\n"),
        ("async def f(): pass\n", "def f(): pass\n"),
        ("[i for i in a]\n", "(i for i in a)\n"),
    ],
)
def test_other_code_has_another_hash(one, other):
    assert hash_of(one) != hash_of(other)


def test_fields_that_a_newer_python_adds_change_nothing_while_they_are_empty():
    tree = parse(b"def f(): return 1\n")
    before = syntax_hash(tree)
    node = tree.body[0]

    class Newer(ast.FunctionDef):
        _fields = (*ast.FunctionDef._fields, "later_params", "later_value")

    newer = Newer(**dict(ast.iter_fields(node)), later_params=[], later_value=None)
    Newer.__name__ = "FunctionDef"
    tree.body[0] = newer
    assert syntax_hash(tree) == before


def test_code_that_is_nested_deeply_has_a_hash_too():
    assert hash_of("x = " + " + ".join(["1"] * 500)) != hash_of("x = " + " + ".join(["1"] * 501))


def test_declared_encodings_are_read():
    latin = parse("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"))
    assert syntax_hash(latin) == hash_of("x = 'é'\n")


@pytest.mark.parametrize("source", [b"def f(:\n", b"x = 1\0\n", b"\xff\xfe"])
def test_what_is_not_python_is_a_syntax_error(source):
    with pytest.raises(SyntaxError):
        parse(source)


def test_the_source_of_this_interpreter_has_a_hash():
    for module in ("ast", "dataclasses", "typing", "re._parser"):
        __import__(module)
        with open(sys.modules[module].__file__, "rb") as file:
            assert len(syntax_hash(parse(file.read()))) == 16
