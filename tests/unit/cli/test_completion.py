import re

import pytest
from typer._completion_classes import BashComplete
from typer.main import get_command

from lsbench.cli.completion import ASKED, OPTIONS, is_completion
from lsbench.cli.main import create_app
from lsbench.suite.loader import shipped_suites


def complete(*words):
    """Return what a shell would offer after `words`, of which the last one may be incomplete."""
    *before, incomplete = words
    asked = BashComplete(get_command(create_app()), {}, "lsbench", ASKED)
    return [item.value for item in asked.get_completions(before, incomplete)]


SHELLS = {
    "bash": {"COMP_WORDS": "lsbench run smo", "COMP_CWORD": "2"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "lsbench run smo"},
    "fish": {"_TYPER_COMPLETE_ARGS": "lsbench run smo", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_is_answered(shell, call, monkeypatch):
    for name, value in {**SHELLS[shell], ASKED: f"complete_{shell}"}.items():
        monkeypatch.setenv(name, value)
    code, out, err = call()
    assert (code, err) == (0, "")
    assert re.findall("[a-z]+", out)[-1] == "smoke"


def test_verbs_flags_and_listings_are_offered():
    assert complete("pro") == ["profile"]
    assert complete("run", "--ret") == ["--retry-inconclusive"]
    assert complete("list", "mix") == ["mixers"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with suites of one's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "my suites/a.yaml", "my suites/b.yml", "my suites/notes.txt", "smoking.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize("verb", ["run", "plan", "validate", "gate"])
def test_shipped_suites_stand_beside_the_files_of_ones_own(verb, here):
    assert complete(verb, "") == sorted([*shipped_suites(), "mine.yaml", "my suites/"])
    assert complete(verb, "smo") == ["smoke"]
    assert complete(verb, "paper/table7") == ["paper/table7"]
    assert complete(verb, "m") == ["mine.yaml", "my suites/"]


def test_a_lone_folder_is_looked_into_and_what_is_no_suite_is_left_to_the_shell(here):
    assert complete("run", "my ") == ["my suites/a.yaml", "my suites/b.yml"]
    assert complete("run", "my suites/a") == ["my suites/a.yaml"]
    assert complete("run", str(here / "mi")) == [str(here / "mine.yaml")]
    assert complete("run", "empty") == complete("run", "nowhere/") == []


@pytest.mark.parametrize(
    "flags", [["report", "-o"], ["run", "--results"], ["evaluate", "lsnet_t", "--checkpoint"]]
)
def test_files_and_folders_are_left_to_the_shell(flags):
    assert complete(*flags, "") == []


def test_results_offer_their_suites_presets_labels_and_variants(
    tiny, make_graph, fill_store, tmp_path, capsys
):
    graph = make_graph(tiny)
    fill_store(graph)
    results = ["--results", str(tmp_path / "results")]
    for verb in ("report", "status", "clean", "verify", "compare"):
        assert complete(verb, *results, "ti") == ["tiny"]
    assert complete("report", "tiny", *results, "--preset", "") == ["default"]
    assert complete("why", *results, "ls/train") == ["ls/train/seed0", "ls/train/seed1"]
    assert complete("show", *results, "ls")[0] == "ls"
    assert complete("show", *results, "--suite", "tiny", "id/p") == ["id/profile"]
    training = next(job for job in graph.jobs if job.kind == "train")
    assert complete("why", *results, training.id[:9]) == [training.id]
    assert complete("export", *results, "ls/") == ["ls/train/seed0", "ls/train/seed1"]
    assert capsys.readouterr() == ("", "")


def test_a_damaged_store_offers_nothing_and_says_nothing(tiny, make_graph, fill_store, tmp_path, capsys):
    folder = fill_store(make_graph(tiny))
    (folder.root / "manifest.json").write_text("{")
    assert complete("why", "--results", str(tmp_path / "results"), "ls") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["profile", "lsnet_n"], "lsnet_nano"),
        (["evaluate", "lsnet_n"], "lsnet_nano"),
        (["profile", "lsnet_t", "--mixer", "invo"], "involution"),
        (["analyze", "er"], "erf"),
        (["data", "check", "fashion_s"], "fashion_scenes"),
        (["evaluate", "lsnet_t", "--on", "imagenet_a"], "imagenet_a"),
        (["evaluate", "lsnet_t", "--metrics", "top1,ec"], "top1,ece"),
        (["report", "--format", "mark"], "markdown"),
        (["gate", "nightly", "--format", "jun"], "junit"),
        (["export", "lsnet_t", "x", "--to", "on"], "onnx"),
        (["run", "smoke", "--only", "invo"], "involution"),
        (["run", "smoke", "--skip", "tra"], "train"),
    ],
)
def test_names_of_a_kind_are_offered(words, found):
    assert found in complete(*words)


def test_presets_are_those_of_the_suite(tiny, write_suite):
    suite = write_suite({**tiny, "presets": {"small": {"seeds": [0]}}})
    assert complete("run", suite, "--preset", "sm") == ["small"]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_shell_that_is_unknown_is_no_crash_and_no_regression(option, call, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "tcl")
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "tcl")
    code, out, err = call(option)
    assert code == 2
    [line] = (out + err).splitlines()
    assert line.lower().endswith("not supported.")


def test_the_script_of_a_shell_is_shown(call, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    code, out, err = call("--show-completion")
    assert (code, err) == (0, "")
    assert "_LSBENCH_COMPLETE=complete_bash" in out


def test_only_requests_of_shells_may_leave_the_process():
    assert not is_completion(["run", "smoke"], {})
    assert is_completion(["--install-completion=bash"], {})
    assert is_completion([], {"_LSBENCH_COMPLETE": "complete_zsh"})


@pytest.mark.parametrize(
    "verb", [[], ["data"], ["data", "check"], *([one.name] for one in create_app().registered_commands)]
)
def test_every_verb_has_a_short_flag_for_help(verb, call):
    assert call(*verb, "-h") == call(*verb, "--help")
    assert call(*verb, "-h")[0] == 0
