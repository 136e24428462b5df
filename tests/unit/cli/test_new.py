import ast
import tomllib

import pytest

from lsbench.cli import new as verb
from lsbench.cli.new import REGISTRIES, Kind, add_entry_point, create_plugin, find_package
from lsbench.core.errors import UsageError
from lsbench.testing.options import KINDS


def entry_points(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]


@pytest.mark.parametrize("kind", Kind)
def test_a_folder_that_is_none_yet_becomes_a_package(kind, tmp_path, call):
    folder = tmp_path / "My-Mixers"
    code, out, _ = call("new", kind, "big_idea", "--package", folder)
    assert code == 0
    assert f"written: {folder / 'my_mixers' / 'big_idea.py'}" in out
    assert f"pytest --pyargs lsbench.testing --{kind} big_idea" in out
    assert entry_points(folder) == {REGISTRIES[kind].group: {"big_idea": "my_mixers.big_idea"}}
    tree = ast.parse((folder / "my_mixers" / "big_idea.py").read_text())
    assert ast.get_docstring(tree).startswith("Big idea: ")
    assert "from my_mixers.big_idea import" in (folder / "tests" / "test_big_idea.py").read_text()
    assert "$" not in (folder / "my_mixers" / "big_idea.py").read_text()


def test_every_kind_that_can_be_tested_can_be_written():
    assert {kind.value for kind in Kind} == set(KINDS)


def test_a_package_that_is_there_is_kept_as_it_is_written(tmp_path):
    text = """\
[project]  # ours
name = "our.package"

[project.entry-points.'lsbench.metrics']  # quality
first = "our_package.first"

[tool.ruff]
"""
    (tmp_path / "pyproject.toml").write_text(text)
    for name in ("our_package", "tests", "other"):
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / "__init__.py").touch()
    target = create_plugin(Kind.metric, "second", tmp_path)
    assert target.file == tmp_path / "src" / "our_package" / "second.py"
    create_plugin(Kind.mixer, "third", tmp_path)
    written = (tmp_path / "pyproject.toml").read_text()
    second = 'second = "our_package.second"\n'
    mixers = '\n[project.entry-points."lsbench.mixers"]\nthird = "our_package.third"\n'
    head, tail = text.split("first =")
    assert written == f"{head}{second}first ={tail}{mixers}"
    assert entry_points(tmp_path)["lsbench.metrics"] == {
        "first": "our_package.first",
        "second": "our_package.second",
    }


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("metric", "top1", "there is already a metric of this name"),
        ("metric", "Top-3", "lower-case letters, digits and underscores"),
        ("corruption", "fog", "there is already a corruption of this name"),
        ("metrik", "x", "'metrik' is not one of 'mixer', 'metric'"),
    ],
)
def test_a_wrong_wish_is_told_in_one_line(call, tmp_path, kind, name, words):
    code, out, err = call("new", kind, name, "--package", tmp_path / "acme")
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "acme").exists()


def test_nothing_is_written_over(tmp_path, call):
    assert call("new", "metric", "mine", "--package", tmp_path / "acme")[0] == 0
    code, _, err = call("new", "probe", "mine", "--package", tmp_path / "acme")
    assert code == 2
    assert "the file already exists" in err
    assert "lsbench.probes" not in entry_points(tmp_path / "acme")


def test_without_a_package_the_checkout_is_written_to(tmp_path, monkeypatch, call):
    monkeypatch.setattr(verb, "PACKAGE_ROOT", tmp_path / "lsbench")
    code, _, err = call("new", "mixer", "mine")
    assert code == 2
    assert "lsbench is installed, not a checkout: give --package DIR" in err
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    code, out, _ = call("new", "mixer", "mine")
    assert code == 0
    assert "python -m lsbench.cli.catalog" in out
    assert (tmp_path / "lsbench" / "models" / "mixers" / "mine.py").is_file()
    test = tmp_path / "tests" / "unit" / "models" / "mixers" / "test_mine.py"
    assert "from lsbench.models.mixers.mine import Mine" in test.read_text()
    code, _, err = call("new", "model", "mine")
    assert code == 2
    assert "a model needs a package of its own: give --package DIR" in err


def test_entry_points_that_cannot_be_added_are_told(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text('[project.entry-points]\n"lsbench.metrics" = {a = "b"}\n')
    with pytest.raises(UsageError, match=r"add `c = \"d\"` to the entry points of"):
        add_entry_point(file, "lsbench.metrics", "c", "d")
    with pytest.raises(UsageError, match=r"the entry point lsbench\.metrics: a already exists"):
        add_entry_point(file, "lsbench.metrics", "a", "d")
    file.write_text("[project")
    with pytest.raises(UsageError, match="cannot be read as TOML"):
        add_entry_point(file, "lsbench.metrics", "a", "d")
    with pytest.raises(UsageError, match="expected one package called 'acme' here or in src, found none"):
        find_package(tmp_path, {"project": {"name": "acme"}})


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, call):
    (tmp_path / "file").write_text("in the way")
    code, out, err = call("new", "metric", "good", "--package", tmp_path / "file" / "package")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot be written" in err
