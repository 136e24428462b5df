import os
import subprocess
import sys

import pytest

from lsbench.cli.completion import OPTIONS, is_completion, suite_names
from lsbench.cli.main import app
from lsbench.suite.loader import shipped_suites

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


def complete(words):
    """Return what a bash would offer after `words`, of which the last one may be incomplete."""
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-m", "lsbench"]
    environ = {**os.environ, **asked, "_LSBENCH_COMPLETE": "complete_bash"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_is_offered_verbs_flags_and_suites():
    assert complete(["lsbench", "pro"]) == ["profile"]
    assert complete(["lsbench", "run", "--ret"]) == ["--retry-inconclusive"]
    assert complete(["lsbench", "run", "smo"]) == [n for n in shipped_suites() if n.startswith("smo")]
    assert complete(["lsbench", "list", "mix"]) == ["mixers"]


def test_suites_are_named_by_their_start():
    assert "paper/table7" in suite_names("paper/")
    assert list(suite_names("./my")) == []


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
    "verb", [[], ["data"], ["data", "check"], *([one.name] for one in app.registered_commands)]
)
def test_every_verb_has_a_short_flag_for_help(verb, call):
    assert call(*verb, "-h") == call(*verb, "--help")
    assert call(*verb, "-h")[0] == 0
