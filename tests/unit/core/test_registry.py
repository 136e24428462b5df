import os
import sys
from dataclasses import replace
from os import listdir

import pytest

from lsbench.core import registry
from lsbench.core.errors import PluginError, UnknownNameError
from lsbench.core.registry import (
    ANALYSES,
    DATASETS,
    FAMILIES,
    JOBS,
    LOGGERS,
    METRICS,
    MIXERS,
    PROBES,
    REPORTS,
    suggest,
)

ALL = [MIXERS, FAMILIES, JOBS, DATASETS, METRICS, PROBES, REPORTS]
KINDS = [*ALL, ANALYSES, LOGGERS]


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


BRIER = '''"""Brier score: squared distance of the probabilities from the truth.

More.
"""

from lsbench.core.quantity import Quantity

QUANTITIES = (Quantity("brier", "ratio", False, "Brier score"),)


def brier(logits, targets):
    """Return the score of each image."""
    return logits


METRIC = brier
'''


def test_an_entry_point_names_the_module_or_the_object(install):
    install(
        {"acme.brier": BRIER},
        {"lsbench.metrics": {"brier": "acme.brier", "brier_too": "acme.brier:brier"}},
    )
    assert {"brier", "brier_too", "top1"} <= set(METRICS.names())
    assert METRICS.outside_names() == ["brier", "brier_too"]
    assert "brier" not in METRICS.own_names()
    assert "brier" not in PROBES.names()
    # Told apart before anything is imported.
    assert METRICS.title("brier") == "Brier score: squared distance of the probabilities from the truth."
    assert METRICS.title("brier_too") == "Return the score of each image."
    assert METRICS.package_of("brier") == "acme-plugin 0.1"
    assert METRICS.package_of("top1") is None
    assert "acme" not in sys.modules
    assert METRICS.load("brier") is METRICS.load("brier_too")
    assert METRICS.module("brier") is METRICS.module("brier_too") is sys.modules["acme.brier"]
    assert METRICS.module("brier").QUANTITIES[0].name == "brier"


BROKEN = {
    "missing": ("metrics", None, "cannot be imported: ModuleNotFoundError: No module named 'acme'"),
    "raising": ("metrics", "raise RuntimeError('a\\nb')", "cannot be imported: RuntimeError: a b"),
    "leaving": ("metrics", "raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    "nameless": ("metrics", "X = 1", "expected the module acme.nameless to assign METRIC, found no such"),
    "texty": ("metrics", "METRIC = 'x'", r"expected a function of \(logits, targets\).*, found the text 'x'"),
    "lonely": (
        "metrics",
        "def METRIC(logits): pass",
        r"found the function METRIC with the arguments \(logits\)",
    ),
    "unitless": (
        "metrics",
        "QUANTITIES = ('a',)\ndef METRIC(a, b): pass",
        "expected QUANTITIES to be a tuple of Quantity, found an object of tuple",
    ),
    "kind": ("jobs", "JOB = {}", "expected an lsbench.core.job.JobKind, found an object of dict"),
    "loose": (
        "jobs",
        "from lsbench.core.job import JobKind\nJOB = JobKind(dict, print, 1, print)",
        "expected its spec to be a subclass of JobSpec, found the class dict",
    ),
    "still": (
        "jobs",
        "from lsbench.core.job import JobKind, JobSpec\nJOB = JobKind(JobSpec, 'run', 1, print)",
        "expected its run to be a function, found the text 'run'",
    ),
    "halfset": (
        "datasets",
        "class D:\n    spec = in_memory = None\n    def prepare(self): pass\nDATASET = D()",
        "found an object of D without fingerprint, num_classes, num_images",
    ),
    "probe": ("probes", "def PROBE(model): pass", r"expected a function of \(model, img_size, context\)"),
    "look": (
        "analyses",
        "ANALYSIS = print",
        "expected an lsbench.analyses.Analysis, found the function",
    ),
    "log": ("loggers", "LOGGER = 3", "expected an lsbench.loggers.LoggerKind, found an object of int"),
    "report": ("reports", "REPORT = 'csv'", "expected a function of the list of summaries, found the text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_what_its_kind_promises_is_refused_in_one_line(install, name):
    folder, text, expected = BROKEN[name]
    install({} if text is None else {f"acme.{name}": text}, {f"lsbench.{folder}": {name: f"acme.{name}"}})
    plugins = next(one for one in KINDS if one.group == f"lsbench.{folder}")
    with pytest.raises(PluginError, match=expected) as caught:
        plugins.load(name)
    line = f"{plugins.kind} '{name}' (entry point lsbench.{folder}: {name} = acme.{name} of acme-plugin 0.1)"
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert plugins.problem(name) == str(caught.value)
    assert name not in plugins.usable_names()
    assert plugins.usable_names() == plugins.own_names()
    with pytest.raises(ValueError, match=expected):
        plugins.check([name])


def test_two_plugins_of_one_name_are_refused_and_both_are_named(install):
    install({"acme.a": BRIER}, {"lsbench.metrics": {"top1": "acme.a", "brier": "acme.a"}})
    install({"other.a": BRIER}, {"lsbench.metrics": {"brier": "other.a"}}, name="other-plugin")
    with pytest.raises(PluginError, match=r"'top1' is offered twice: by lsbench itself and by .*acme"):
        METRICS.load("top1")
    with pytest.raises(PluginError, match=r"'brier' is offered twice: by .*acme-plugin 0.1 and .*other"):
        METRICS.module("brier")
    assert "offered twice" in METRICS.problem("top1")
    assert METRICS.problem("top5") is None


def test_torch_code_is_not_imported_by_a_check(install):
    install({"acme.mixer": "raise RuntimeError; MIXER = 1"}, {"lsbench.mixers": {"acme_mixer": "acme.mixer"}})
    assert MIXERS.problem("acme_mixer") is None
    assert MIXERS.problem("acme_mixr") == "unknown mixer 'acme_mixr' (did you mean 'acme_mixer'?)"
    with pytest.raises(PluginError, match="cannot be imported: RuntimeError: no message"):
        MIXERS.load("acme_mixer")


def test_suggestions_need_some_likeness():
    assert suggest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert suggest("epoch", ["lr"]) == ""
    assert suggest("epoch", []) == ""


def test_a_folder_is_listed_once_and_again_when_a_file_is_added(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "PACKAGE_ROOT", tmp_path)
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "one.py").write_text("")
    listed = []
    monkeypatch.setattr(registry.os, "listdir", lambda path: listed.append(path) or listdir(path))
    plugins = replace(METRICS)
    assert [plugins.own_names() for _ in range(5)] == [["one"]] * 5
    assert listed == [str(folder)]
    (folder / "another.py").write_text("")
    os.utime(folder, ns=(1, 1))  # a clock may be too coarse to tell two writes apart
    assert plugins.own_names() == ["another", "one"]
