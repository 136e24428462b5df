"""The exit code of every verb when nobody reads, a disk is full or a terminal is old: 1 is a regression."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lsbench.cli.main import VERBS, WORKING
from lsbench.tables.nights import FILE

from .conftest import Cli, follow

SUITE = """\
version: 1
name: codes
defaults:
  model: lsnet_nano
  dataset: {name: fashion, train_images: 40, val_images: 20, test_images: 20}
variants: [{name: one, label: "→ one", mixer: MIXER}]
jobs: [profile: {probes: [macs]}]
seeds: [0]
gate: [{metric: macs}]
"""
GATE = "--baseline b.json --junit junit.xml --scheduler inline"

#: Verb -> a quick command line of it, and its code when all is well. In `large`, the model costs more.
QUICK = {
    "run": ("run large.yaml --results large --scheduler inline", 0),
    "plan": ("plan large.yaml --results large", 0),
    "status": ("status --results large", 0),
    "show": ("show one --results large", 0),
    "report": ("report codes --results large", 0),
    "compare": ("compare small/codes/default large/codes/default", 0),
    "verify": ("verify --results large", 5),
    "why": ("why one/profile --results large", 0),
    "clean": ("clean codes --results large", 0),
    "gate": (f"gate small.yaml --results small {GATE}", 0),
    "gate, a regression": (f"gate large.yaml --results large {GATE}", 1),
    "list": ("list mixers", 0),
    "validate": ("validate large.yaml", 0),
    "schema": ("schema", 0),
    "new": ("new metric good --package package", 0),
    "--help": ("--help", 0),
    "no such suite": ("plan smokk", 2),
}
#: These import torch, or look at the whole machine.
SLOW = {
    "profile": ("profile lsnet_nano --img-size 32", 0),
    "analyze": ("analyze erf lsnet_nano --img-size 32 --images 2 -o pictures", 0),
    "data": ("data check fashion", 0),
    "evaluate": ("evaluate lsnet_nano --on fashion --limit 1 --batch-size 2", 0),
}
#: Of a verb that is not named above (and of the doctor, whose code depends on the machine), the help.
QUICK |= {
    verb: (f"{verb} --help", 0) for group in VERBS.values() for verb in group if verb not in {**QUICK, **SLOW}
}
#: What stands for the others where all share one mechanism.
SOME = ("run", "report", "gate", "gate, a regression", "no such suite")


Bash = Callable[..., subprocess.CompletedProcess[str]]


def verbs(*quick: str) -> list[Any]:
    """Return every verb as a parameter, those that are not quick marked as slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in (*QUICK, *SLOW)]


@pytest.fixture(scope="session")
def bash(warm_python: str) -> Bash:
    """Run a command line below bash, with a redirection of its own."""

    def run(folder: Path, words: str, redirect: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$0" -P -m lsbench {words} {redirect}', warm_python],
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bash: Bash) -> Path:
    """Two suites with results, of which one needs more MACs, and the baseline of the other."""
    made = tmp_path_factory.mktemp("codes")
    for name, mixer in (("small", "identity"), ("large", "ls_conv")):
        (made / f"{name}.yaml").write_text(SUITE.replace("MIXER", mixer))
        done = bash(made, f"run {name}.yaml --results {name} --scheduler inline")
        assert done.returncode == 0, done.stderr
    done = bash(made, f"gate small.yaml --results small {GATE} --update-baseline")
    assert done.returncode == 0, done.stderr
    return made


def expected(verb: str) -> tuple[str, int]:
    """Return the command line of a verb, and the code of its work."""
    return {**QUICK, **SLOW}[verb]


def assert_told(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("verb", verbs(*QUICK))
def test_a_gone_reader_changes_no_code(verb: str, folder: Path, bash: Bash) -> None:
    words, code = expected(verb)
    (folder / "junit.xml").unlink(missing_ok=True)
    done = bash(folder, words.replace(" package", " read"), "| true")
    assert_told(done)
    assert done.returncode == code
    assert (folder / "junit.xml").exists() == ("junit" in words)


@pytest.mark.parametrize("verb", verbs(*SOME))
def test_a_full_disk_is_no_regression(verb: str, folder: Path, bash: Bash) -> None:
    words, code = expected(verb)
    (folder / "junit.xml").unlink(missing_ok=True)
    done = bash(folder, words.replace(" package", " full"), ">/dev/full")
    assert_told(done)
    assert done.returncode == (code if code or words.split()[0] in WORKING else 2)
    assert (folder / "junit.xml").exists() == ("junit" in words)
    if not code and verb != "run":  # it prints nothing to stdout
        assert "lsbench: stdout: cannot be written (No space left on device)" in done.stderr


@pytest.mark.parametrize(
    ("redirect", "env"),
    [
        ("", {"PYTHONIOENCODING": "latin-1:strict"}),
        ("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        (">&- 2>&- <&-", {}),
        (">/dev/full 2>/dev/full", {}),
    ],
)
@pytest.mark.parametrize("verb", ["gate, a regression", "report"])
def test_an_old_terminal_or_none_changes_no_code(
    verb: str, redirect: str, env: dict[str, str], folder: Path, bash: Bash
) -> None:
    words, code = expected(verb)
    done = bash(folder, words, redirect, **env)
    assert_told(done)
    assert done.returncode == (2 if verb == "report" and "full" in redirect else code)
    if not redirect:
        assert " one" in done.stdout


@pytest.mark.parametrize(
    ("verb", "history"),
    [
        ("gate", "/proc/history.parquet"),
        ("gate", "small.yaml"),
        ("gate, a regression", "/dev/full"),
        ("gate, a regression", "junit.xml/below"),
    ],
)
def test_a_history_that_cannot_be_kept_changes_no_verdict(
    verb: str, history: str, folder: Path, bash: Bash
) -> None:
    words, code = expected(verb)
    (folder / "junit.xml").unlink(missing_ok=True)
    done = bash(folder, f"{words} --history {history}")
    assert_told(done)
    assert done.returncode == code
    assert "codes (default): 1 " in done.stdout
    assert (folder / "junit.xml").read_text().startswith("<?xml")
    assert done.stderr.count("history") >= 1
    assert Path("/dev/full").is_char_device()


def test_a_night_is_added_to_the_history_that_can_be_kept(folder: Path) -> None:
    assert (folder / "small" / "codes" / "default" / FILE).exists()


def test_a_closed_terminal_ends_no_run(folder: Path, bash: Bash) -> None:
    """As when a window or an ssh session is closed: SIGHUP, and every write to the terminal fails."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        words = "run small.yaml --results watched --scheduler inline"
        os.execv(sys.executable, [sys.executable, "-P", "-m", "lsbench", *words.split()])
    try:
        assert os.read(terminal, 1) != b""  # the first line: it is about to start
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bash(folder, "status --results watched --json").stdout.count('"ok": 1') == 1


@pytest.mark.slow
def test_a_run_that_loses_the_head_of_ray_ends_before_ray_ends_it(cli: Cli) -> None:
    """Ray would end the whole process after a minute, with exit code 1."""
    process = cli.start("run", "tiny.yaml", "--json", "--set", "jobs.train.epochs=200")
    follow(process, lambda event: event.get("ev") == "epoch")
    [head] = [one for one in cli.descendants() if one.name() == "gcs_server"]
    head.kill()
    _, err = process.communicate(timeout=100)
    assert process.returncode == 2
    assert err.splitlines()[-1].endswith("run the same command to continue")
    assert cli.descendants() == []
