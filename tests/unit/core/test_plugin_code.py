import pytest

from lsbench.core.errors import PluginError
from lsbench.core.plugin_code import (
    KINDS,
    CodeReader,
    files_hash,
    is_own,
    is_own_file,
    own_module_files,
    plugin_name,
    with_lent,
)

MODULES = {
    "acme.__init__": "from .a import A\nfrom .b import B",
    "acme.a": "from .ops import shift\nclass A:\n    kernel = 5",
    "acme.b": "class B:\n    kernel = 5",
    "acme.ops": "",
}
ENTRIES = {"lsbench.mixers": {"a": "acme.a", "b": "acme.b:B", "c": "acme:A"}}


def test_the_code_of_a_plugin_is_what_its_module_reaches(install):
    install(MODULES, ENTRIES)
    code = CodeReader().code(["mixer a", "mixer b", "mixer c", "mixer gone", "no kind"])
    assert {name: sorted(files) for name, files in code.items()} == {
        "mixer a": ["acme/__init__.py", "acme/a.py", "acme/ops.py"],
        "mixer b": ["acme/__init__.py", "acme/b.py"],
        "mixer c": ["acme/__init__.py", "acme/a.py", "acme/ops.py"],
    }


def test_an_edit_changes_the_plugins_that_reach_it_and_a_comment_none(install):
    site = install(MODULES, ENTRIES)
    names = ["mixer a", "mixer b"]

    def hashes():
        return [files_hash(files) for files in CodeReader().code(names).values()]

    before = hashes()
    (site / "acme" / "a.py").write_text("from .ops import shift\nclass A:\n    # wide\n    kernel = 5\n")
    assert hashes() == before
    (site / "acme" / "a.py").write_text("from .ops import shift\nclass A:\n    kernel = 9\n")
    assert [one == other for one, other in zip(hashes(), before, strict=True)] == [False, True]


def test_a_plugin_that_is_not_python_is_an_error_of_one_line(install):
    install({"acme.a": "def f(:"}, {"lsbench.mixers": {"a": "acme.a"}})
    with pytest.raises(PluginError, match=r"acme/a\.py:1: not valid Python"):
        CodeReader().code(["mixer a"])


def test_lsbenchs_own_plugins_reach_what_computes_numbers_and_nothing_else():
    files = CodeReader().files("job kind train")
    assert {"lsbench/jobs/train.py", "lsbench/engine/trainer.py", "lsbench/data/loading/loader.py"} <= set(
        files
    )
    rooms = {name.split("/")[1] for name in files}
    assert not rooms & {"core", "suite", "store", "scheduler", "loggers", "cli", "tables", "__init__.py"}


def test_the_kernel_of_ska_belongs_to_the_mixers_that_use_it():
    reader, kernel = CodeReader(), "lsbench/models/ops/ska.py"
    assert kernel in reader.files("mixer ls_conv")
    for plugin in (
        "mixer identity",
        "job kind train",
        "job kind evaluate",
        "model family lsnet",
        "data set fashion",
    ):
        assert kernel not in reader.files(plugin), plugin


def test_what_an_outside_plugin_imports_of_lsbench_is_code_of_its_own_name(install):
    modules = {
        "acme.__init__": "",
        "acme.mixer": "from .ops import run\nfrom lsbench.core.errors import LsbenchError",
        "acme.ops": "from lsbench.models.ops.ska import ska\nimport lsbench.stats.paired",
        "acme.plain": "import torch",
    }
    install(modules, {"lsbench.mixers": {"acme_mixer": "acme.mixer", "acme_plain": "acme.plain"}})
    plugins = with_lent(["mixer acme_mixer", "mixer acme_plain", "mixer ls_conv"])
    assert plugins == {
        *("mixer acme_mixer", "mixer acme_plain", "mixer ls_conv"),
        *("lsbench for mixer acme_mixer", "lsbench for mixer acme_plain"),
    }
    code = CodeReader().code(plugins)
    lent = code["lsbench for mixer acme_mixer"]
    assert {"lsbench/models/ops/ska.py", "lsbench/stats/paired.py"} <= set(lent)
    assert all(map(is_own_file, lent))
    assert not any(name.startswith(("lsbench/core/", "lsbench/engine/")) for name in lent)
    assert sorted(code["mixer acme_mixer"]) == ["acme/__init__.py", "acme/mixer.py", "acme/ops.py"]
    assert "lsbench for mixer acme_plain" not in code
    assert is_own("lsbench for mixer acme_mixer")


def test_code_that_is_run_by_name_belongs_to_its_users():
    reader = CodeReader()
    assert "lsbench/corruptions/blur.py" in reader.files("job kind robustness")
    assert "lsbench/timing/session.py" in reader.files("probe latency")
    assert "lsbench/data/readers/wds.py" in reader.files("job kind evaluate")


def test_every_own_plugin_has_code():
    names = [plugin_name(kind.kind, name) for kind in KINDS.values() for name in kind.own_names()]
    code, every = CodeReader().code(names), own_module_files()
    assert set(code) == set(names)
    assert all(every[file] == digest for files in code.values() for file, digest in files.items())
    assert all(map(is_own_file, every))
