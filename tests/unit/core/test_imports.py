import json

import pytest

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import PluginError
from lsbench.core.imports import Imported, find_facts, keep_facts, read_facts
from lsbench.core.syntax import parse

SOURCE = """
import a.b, c as d
from . import e
from ..f import g as h, i
from j import *
if TYPE_CHECKING:
    from never import x
else:
    from at_run import y
if typing.TYPE_CHECKING:
    import never
def k():
    try:
        from l import m
    except ImportError:
        m = None
__all__ = ["e", "k"]
SIZE: int = 3
made = k()
"""


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A cache folder of the test's own, and a process that knows nothing yet."""
    from lsbench.core import imports

    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    imports._known.cache_clear()
    yield imports._known.cache_clear
    imports._known.cache_clear()


def test_imports_are_found_at_any_depth_but_not_those_for_types():
    facts = find_facts(parse(SOURCE.encode()))
    assert set(facts.imports) == {
        Imported("a.b", 0, "", "a"),
        Imported("c", 0, "", "d"),
        Imported("", 1, "e", "e"),
        Imported("f", 2, "g", "h"),
        Imported("f", 2, "i", "i"),
        Imported("j", 0, "*", "*"),
        Imported("at_run", 0, "y", "y"),
        Imported("l", 0, "m", "m"),
    }
    assert facts.exports == ("e", "k")
    assert facts.constants == ("__all__", "SIZE")


def test_facts_are_cached_by_the_content_of_the_file(tmp_path, fresh):
    file = tmp_path / "x.py"
    file.write_text("x = 1\n")
    first = read_facts(file)
    keep_facts()
    fresh()
    [stored] = json.loads(next(cache_root().glob("code_facts_*.json")).read_text()).values()
    assert stored[0] == first.hash
    assert read_facts(file) == first
    file.write_text("x = 2\n")  # of the same size, and possibly at the same time
    assert read_facts(file).hash != first.hash


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": ["b", [["c"]], [], []]}', "\xff"])
def test_a_damaged_cache_is_as_none(tmp_path, fresh, content):
    (tmp_path / "x.py").write_text("x = 1\n")
    read_facts(tmp_path / "x.py")
    keep_facts()
    next(cache_root().glob("code_facts_*.json")).write_text(content, encoding="latin-1")
    fresh()
    assert read_facts(tmp_path / "x.py").hash == find_facts(parse(b"x = 1")).hash
    keep_facts()
    assert len(json.loads(next(cache_root().glob("code_facts_*.json")).read_text())) == 1


def test_without_a_writable_cache_the_facts_are_the_same(tmp_path, fresh, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    (tmp_path / "x.py").write_text("x = 1\n")
    assert read_facts(tmp_path / "x.py") == find_facts(parse(b"x = 1"))
    keep_facts()


def test_a_compiled_module_is_hashed_by_its_bytes(tmp_path):
    (tmp_path / "x.so").write_bytes(b"\x7fELF1")
    (tmp_path / "y.so").write_bytes(b"\x7fELF2")
    assert read_facts(tmp_path / "x.so").hash != read_facts(tmp_path / "y.so").hash
    assert read_facts(tmp_path / "x.so").imports == ()


def test_a_file_that_is_not_python_is_told_in_one_line(tmp_path):
    (tmp_path / "x.py").write_text("def f(:\n")
    with pytest.raises(PluginError, match=r"x\.py:1: not valid Python \(.+\); correct the file") as caught:
        read_facts(tmp_path / "x.py")
    assert "\n" not in str(caught.value)
    with pytest.raises(PluginError, match=r"gone\.py: cannot be read"):
        read_facts(tmp_path / "gone.py")
