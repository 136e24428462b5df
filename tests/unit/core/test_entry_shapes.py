from importlib.metadata import EntryPoint

import pytest

from lsbench.core.entry_shapes import shape_problem


@pytest.fixture
def problem(tmp_path, monkeypatch):
    """Write a package `shapes` with one module `mixer`, and return the problem of an entry point."""

    def find(source, value="shapes.mixer", attribute="MIXER", init=""):
        package = tmp_path / "shapes"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text(init)
        (package / "mixer.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        return shape_problem(EntryPoint("mine", value, "lsbench.mixers"), "mixer", attribute)

    return find


@pytest.mark.parametrize(
    "source",
    [
        "MIXER = 1",
        "MIXER: int = 1",
        "class MIXER: pass",
        "from other import MIXER",
        "from other import Big as MIXER",
        "from other import *",
        "def __getattr__(name): return 1",
        "globals()['MIXER'] = 1",
        "if True:\n    MIXER = 1",
        "this is no Python",
        "raise RuntimeError; MIXER = 1",
    ],
)
def test_a_module_that_may_assign_the_constant_is_no_problem(problem, source):
    assert problem(source) is None


def test_a_module_without_the_constant_is_one_line_with_the_cure(problem):
    found = problem("class Big: pass")
    assert found.startswith("mixer 'mine' (entry point lsbench.mixers: mine = shapes.mixer")
    assert found.endswith(
        "to assign MIXER, found no such constant; assign it, or name the object in the entry point"
    )
    assert problem("class Big: pass", attribute="") is None


def test_an_object_that_is_not_there_is_one_line(problem):
    assert problem("class Big: pass", "shapes.mixer:Big") is None
    assert problem("class Big: pass", "shapes.mixer:Big.inner") is None
    assert "expected Bigger in shapes.mixer" in problem("class Big: pass", "shapes.mixer:Bigger")


def test_a_submodule_named_in_place_of_an_object_may_be_there(problem):
    assert problem("MIXER = 1", "shapes:mixer") is None


@pytest.mark.parametrize(
    "value", ["shapes.nothing", "shapes.deep.er", "no_such_package", "json.nothing.at_all"]
)
def test_a_module_that_is_not_there_is_one_line(problem, value):
    assert f"there is no module {value}" in problem("", value)


@pytest.mark.parametrize("value", ["math", "sys", "numpy.core", "json.decoder", "os.path"])
def test_modules_without_source_may_have_everything(value):
    assert shape_problem(EntryPoint("mine", value, "lsbench.mixers"), "mixer", "") is None
