"""How the repository's files may look."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS = ROOT / "lsbench", ROOT / "tests"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")])
#: Those of `testing` are tests themselves: tests/contract runs them on every plug-in that ships.
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") and path.parent != PACKAGE / "testing"
)
MOST_LINES = 500
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}

#: Modules without a unit test file of their own, and why.
UNMIRRORED = {
    "scheduler/protocol.py": "types without behaviour; every executor's tests use them",
}


def id_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=id_of)
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_module_has_a_vague_name():
    names = [path for path in PACKAGE.rglob("*") if path.suffix in ("", ".py")]
    assert [id_of(path) for path in names if path.stem.strip("_") in VAGUE] == []


def test_no_two_files_are_named_by_two_words_for_one_idea():
    found = {path.stem.strip("_") for path in MODULES}
    for pair in (("paired", "pairs"), ("cache", "kept"), ("load", "reading")):
        assert len(found & set(pair)) < 2, f"one word per idea: {pair}"


def test_no_class_name_stands_for_two_ideas():
    places = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for name in re.findall(r"(?m)^class (\w+)", path.read_text(encoding="utf-8")):
            if not name.startswith("_"):
                places[name].append(id_of(path))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


@pytest.mark.parametrize("path", MODULES, ids=id_of)
def test_the_package_raises_errors_and_asserts_nothing(path):
    assert re.findall(r"(?m)^\s*assert\b", path.read_text(encoding="utf-8")) == []


def test_the_list_of_exceptions_names_files_that_exist():
    assert [name for name in UNMIRRORED if not (PACKAGE / name).is_file()] == []


@pytest.mark.parametrize("path", MODULES, ids=id_of)
def test_every_module_has_its_unit_test(path):
    inside = path.relative_to(PACKAGE)
    mirrored = (TESTS / "unit" / inside.parent / f"test_{path.stem}.py").is_file()
    if str(inside) in UNMIRRORED:
        assert not mirrored, "it has a test now: take it off the list"
    else:
        assert mirrored


def test_every_exception_names_a_module_that_exists():
    assert [
        name for name in UNMIRRORED if name != "models/ops/ska_triton.py" and not (PACKAGE / name).is_file()
    ] == []


def tracked_text_files():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    for name in names or [str(path.relative_to(ROOT)) for path in SOURCES]:
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_knows_the_machine_it_was_written_on():
    homes = "|".join(("ho" + "me", "Us" + "ers", "wo" + "rk", "ro" + "ot"))
    absolute = re.compile(rf"(?<![\w.~}}])/(?:{homes})/\w+")
    found = [(id_of(path), hit) for path, text in tracked_text_files() for hit in absolute.findall(text)]
    assert found == []


#: Parts of rich that read markup and codes of emoji in text, unless told not to.
RICH = ("Console", "TextColumn")


def test_no_text_of_a_user_is_read_as_markup():
    """`[v2]base.json` and a preset `[tensorboard]` are printed as they are."""
    calls = [
        (id_of(path), node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in RICH
    ]
    off = [
        (name, node.lineno)
        for name, node in calls
        if {"markup": False}.items()
        - {word.arg: getattr(word.value, "value", 0) for word in node.keywords}.items()
    ]
    assert off == []
    assert [name for name, node in calls if node.func.id == "Console"] == ["lsbench/rendering/console.py"]


def test_rich_prints_on_a_console_of_ours():
    imported = re.compile(
        r"(?m)^\s*(?:import rich\b|from rich import|from rich\.(?:markup|prompt|traceback))"
    )
    assert [
        id_of(path) for path in PACKAGE.rglob("*.py") if imported.search(path.read_text(encoding="utf-8"))
    ] == []


def test_the_words_of_pydantic_are_read_in_one_place():
    reading = {
        id_of(path)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Subscript) and getattr(node.slice, "value", None) == "msg"
    }
    assert reading == {"lsbench/core/validation.py"}
