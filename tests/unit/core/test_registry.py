import sys

import pytest

from lsbench.core import registry
from lsbench.core.errors import UnknownNameError
from lsbench.core.registry import DATASETS, JOBS, METRICS, MIXERS, PROBES, REPORTS, suggest

ALL = [MIXERS, JOBS, DATASETS, METRICS, PROBES, REPORTS]


@pytest.fixture
def installed_plugin(tmp_path, monkeypatch):
    """Another package that offers a metric, installed as far as Python can tell."""
    (tmp_path / "otherpkg.py").write_text("METRIC = 'their metric'\n")
    info = tmp_path / "otherpkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: otherpkg\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lsbench.metrics]\ntheirs = otherpkg:METRIC\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._entry_points.cache_clear()
    yield
    registry._entry_points.cache_clear()
    sys.modules.pop("otherpkg", None)


@pytest.mark.parametrize("plugins", ALL, ids=lambda plugins: plugins.kind)
def test_names_are_the_public_files_of_the_folder(plugins):
    folder = registry.PACKAGE_ROOT.joinpath(*plugins.package.split(".")[1:])
    files = {path.stem for path in folder.iterdir() if path.suffix == ".py" and path.name[0] != "_"}
    assert files <= set(plugins.names())
    assert plugins.names() == sorted(plugins.names())
    assert not any(name.startswith("_") for name in plugins.names())


def test_a_misspelt_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"unknown job kind 'trian' \(did you mean 'train'\?\)"):
        JOBS.load("trian")


def test_a_name_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(UnknownNameError) as caught:
        METRICS.load("zzzzzzzz")
    assert all(name in str(caught.value) for name in METRICS.names())


@pytest.mark.parametrize("name", ["__init__", "_timing", "../core/ids", ""])
def test_files_that_are_no_plugins_cannot_be_loaded(name):
    with pytest.raises(UnknownNameError):
        PROBES.load(name)


def test_another_package_can_add_a_plugin(installed_plugin):
    assert "theirs" in METRICS.names()
    assert METRICS.load("theirs") == "their metric"
    assert METRICS.title("theirs") == "from otherpkg:METRIC"
    assert "theirs" not in PROBES.names()


def test_suggestions_need_some_likeness():
    assert suggest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert suggest("epoch", ["lr"]) == ""
    assert suggest("epoch", []) == ""
