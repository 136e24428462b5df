import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import lsbench
from lsbench.cli import main
from lsbench.cli.main import run_command
from lsbench.core.errors import ExitCode, StoreError
from lsbench.core.registry import PACKAGE_ROOT
from lsbench.core.waits import announce


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "smok"], "smok: no such suite file (did you mean 'smoke'?)"),
        (["plan", "smoke", "--preset", "x"], "no preset 'x'"),
        (["plan", "smoke", "--seeds", "0,a"], "--seeds 0,a: expected whole numbers separated by commas"),
        (["plan", "smoke", "--seeds", "9"], "--seeds: [9] not in the suite"),
        (["plan", "smoke", "--only", "trian"], "--only trian: matches no job"),
        (["plan", "smoke", "--set", "jobs.train.epochs"], "expected key=value"),
        (["plan", "smoke", "--limit", "0"], "--limit"),
        (["plan"], "Missing argument"),
        (["frobnicate"], "No such command"),
        (["run", "smoke", "--no-such-flag"], "No such option"),
        (["list", "things"], "things"),
        (["report", "nothing"], "nothing: no such suite file"),
        (["report", "--format", "pdff"], "unknown report format 'pdff'"),
        (["run", "smoke", "--scheduler", "slurm"], "slurm"),
    ],
)
def test_a_mistake_on_the_command_line_is_exit_two_and_one_line(arguments, reason, call):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert all(line.startswith("lsbench: ") for line in err.splitlines())


def test_a_traceback_is_shown_only_when_asked_for(call):
    assert "Traceback" not in call("plan", "smok")[2]
    code, _, err = call("--traceback", "plan", "smok")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("lsbench: smok: no such suite file")


@pytest.mark.parametrize("command", [["report"], ["status"], ["report", "smoke"], ["status", "smoke"]])
def test_an_empty_store_is_exit_five_with_what_to_do(command, call, results):
    code, out, err = call(*command, "--results", results)
    assert (code, out) == (5, "")
    assert "start with `lsbench run " in err


def test_a_report_goes_to_stdout_or_to_a_file(call, tiny, make_graph, fill_store, tmp_path):
    folder = fill_store(make_graph(tiny))
    results = folder.root.parents[1]
    code, out, _ = call("report", "tiny", "--results", results, "--format", "csv", "-o", "-")
    assert code == 0
    assert [row["variant"] for row in csv.DictReader(io.StringIO(out))] == ["ls", "id"]
    file = tmp_path / "deep" / "table.csv"
    code, nothing, _ = call("report", "tiny", "--results", results, "--format", "csv", "-o", file)
    assert (code, nothing) == (0, "")
    assert file.read_text() == out
    code, _, err = call("report", "tiny", "--results", results, "-o", file / "below")
    assert code == 2
    assert "cannot be written" in err


def test_a_report_leaves_smoke_suites_out_unless_named(call, tiny, make_graph, fill_store):
    results = fill_store(make_graph({**tiny, "tags": ["smoke"]})).root.parents[1]
    assert call("report", "--results", results)[0] == 5
    code, out, _ = call("report", "tiny", "--results", results)
    assert code == 0
    assert "Smoke test" in out


def test_a_report_shows_every_preset_or_the_one_asked_for(call, tiny, make_graph, fill_store):
    fill_store(make_graph(tiny, limit=3))
    results = fill_store(make_graph(tiny)).root.parents[1]
    _, out, _ = call("report", "tiny", "--results", results, "--format", "json")
    assert {t["preset"] for t in json.loads(out)["tables"]} == {"default", "default+limit=3"}
    _, out, _ = call("report", "tiny", "--results", results, "--format", "json", "--preset", "default")
    assert {t["preset"] for t in json.loads(out)["tables"]} == {"default"}
    assert call("report", "tiny", "--results", results, "--preset", "other")[0] == 5


def test_version_and_help(call):
    assert call("--version")[:2] == (0, f"lsbench {lsbench.__version__}\n")
    code, out, _ = call("--help")
    assert code == 0
    for verb in ("validate", "plan", "run", "status", "report", "list", "doctor", "schema", "data"):
        assert verb in out


def test_the_doctor_ends_with_two_if_something_is_bad(call, results, monkeypatch):
    code, out, _ = call("doctor", "--results", results, "--json")
    findings = [json.loads(line) for line in out.splitlines()]
    assert code == (0 if all(finding["state"] != "wrong" for finding in findings) else 2)
    monkeypatch.setattr("lsbench.cli.diagnoses.PACKAGES", ("no-such-package",))
    code, out, _ = call("doctor", "--results", results)
    assert code == 2
    assert "wrong  no-such-package: not installed" in out


def test_a_report_of_smoke_tests_alone_says_how_to_see_them(tiny, write_suite, results, capsys):
    suite = write_suite({**tiny, "tags": ["smoke"], "jobs": [{"profile": {"probes": ["params"]}}]})
    assert run_command(["run", suite, "--results", str(results), "--scheduler", "inline"]) == 0
    capsys.readouterr()
    assert run_command(["report", "--results", str(results)]) == 5
    assert f"only smoke tests; name one: `lsbench report tiny --results {results}`" in capsys.readouterr().err


def test_a_wrong_word_is_answered_in_one_line(capsys):
    assert run_command(["list"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


class Panic(BaseException):
    """As an extension module written in Rust raises it."""


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a"),
        OSError(28, "No space left on device"),
        BrokenPipeError(32, "Broken pipe"),
        EOFError("Ran out of input"),
        SystemExit(1),
        SystemExit("two\nlines"),
        SystemExit(0),
        MemoryError(),
        RecursionError("deep"),
        Panic("rust"),
    ],
)
@pytest.mark.parametrize("verb", [["gate", "smoke"], ["report"]])
def test_a_crash_has_a_code_of_its_own_and_one_line(verb, error, call, monkeypatch):
    def crash(*_, **__):
        raise error

    monkeypatch.setattr("lsbench.cli.gate.create_graph", crash)
    monkeypatch.setattr("lsbench.cli.report.results_folders", crash)
    code, out, err = call(*verb)
    assert (code, out) == (ExitCode.CRASHED, "")
    [line] = err.strip().splitlines()
    assert line.startswith("lsbench: internal error: ")
    assert line.endswith("; `lsbench --traceback VERB ...` shows where")
    assert "in crash\n" in call("--traceback", *verb)[2]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Bad disk")])
@pytest.mark.parametrize("place", ["results/a b", b"results/a b", Path("results/a b")])
@pytest.mark.parametrize("verb", [["gate", "smoke"], ["report"]])
def test_a_file_that_nobody_expected_to_fail_is_named_in_one_line(verb, place, error, call, monkeypatch):
    def fail(*_, **__):
        error.filename = place
        raise error

    monkeypatch.setattr("lsbench.cli.gate.create_graph", fail)
    monkeypatch.setattr("lsbench.cli.report.results_folders", fail)
    told = f"results/a b: cannot be used ({error.strerror}); check who owns it and its folder"
    assert call(*verb) == (2, "", f"lsbench: {told}\n")


def test_ctrl_c_is_one_line(call, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lsbench.cli.report.results_folders", interrupt)
    assert call("report") == (130, "", "lsbench: interrupted\n")


def test_no_verb_says_one_by_itself():
    """1 means a regression: only the gate's verdict may say it."""
    assert ExitCode.REGRESSION == 1
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5, 70, 130]


def test_text_that_a_full_disk_takes_is_lost_and_the_code_says_so(warm_python):
    with open("/dev/full", "w") as full:
        for arguments, code in ((["list", "mixers"], 2), (["plan", "smokk"], 2), (["--version"], 2)):
            command = [warm_python, "-P", "-m", "lsbench", *arguments]
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
            assert done.returncode == code
            assert len(done.stderr.splitlines()) == 1
    assert main.WORKING == ("run", "gate")


def test_a_broken_installation_is_one_line_and_no_regression():
    code = "import sys; sys.modules['typer'] = None; from lsbench.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 70
    assert done.stderr.startswith("lsbench: cannot run: ModuleNotFoundError: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["plan", "smoke"], ["report"], ["run", "smoke"], ["list", "jobs"], ["gate", "nightly"]]
)
def test_a_working_directory_that_is_gone_is_one_line(arguments, call, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    reason = "the working directory cannot be used (No such file or directory): cd to one that exists"
    assert err == f"lsbench: {reason}\n"


def test_the_program_starts_in_a_directory_that_is_gone(tmp_path):
    gone = tmp_path / "gone"
    command = f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {sys.executable} -m lsbench plan smoke"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT.parent)}
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("cd to one that exists\n")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["[red]x[/red]", "[v2]", "[tensorboard]", ":smile:", "[/]"])
def test_texts_of_a_user_are_no_markup(text, call, tiny, write_suite, results, tmp_path):
    label = f"{text} LS"
    tiny["variants"][0]["label"] = label
    path = write_suite({**tiny, "description": text, "seeds": [0]})
    for arguments in (
        ["plan", path],
        ["plan", f"{text}.yaml"],
        ["plan", path, "--preset", text],
        ["plan", path, "--set", text],
    ):
        _, out, err = call(*arguments)
        assert text in out + err, arguments


def test_messages_hold_no_commands_to_the_terminal(call):
    code, _, err = call("plan", "a\x1b[31m\u202eb")
    assert code == 2
    assert "a\\x1b[31m\\u202eb: no such suite file" in err


ALL = [verb for verbs in main.VERBS.values() for verb in verbs]


@pytest.mark.parametrize("verb", ALL)
def test_a_verb_is_built_alone_and_as_among_all(verb):
    alone, among = get_command(main.create_app(["--traceback", verb, "x"])), get_command(main.create_app())
    assert list(alone.commands) == [verb]
    assert list(among.commands) == ALL

    def told(group):
        context = group.commands[verb].make_context(verb, [], resilient_parsing=True)
        return group.commands[verb].get_help(context)

    assert told(alone) == told(among)


def test_a_verb_imports_no_other():
    code = (
        "import sys; from lsbench.cli.main import run_command; run_command(['schema', '-h'])\n"
        "print(*(n for n in sys.modules if n.startswith('lsbench.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {
        f"lsbench.cli.{place.partition('.')[0]}" for verbs in main.VERBS.values() for place in verbs.values()
    }
    assert others & set(done.stderr.split()) == {"lsbench.cli.schema"}


def test_a_wait_is_a_line_on_stderr_at_once(monkeypatch, capsys):
    def waiting(**options):
        announce("starting Ray on this machine")
        assert capsys.readouterr().err == "starting Ray on this machine ...\n"
        return 0

    monkeypatch.setattr(main, "create_app", lambda arguments: waiting)
    assert main.run_command(["run"]) == 0


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (["list", "recipes"], ExitCode.USAGE),
        (["report", "nothing"], ExitCode.USAGE),
        (["validate"], ExitCode.USAGE),
    ],
)
def test_whatever_the_outcome_changes_at_an_address_are_sent(verb, code, call, monkeypatch):
    """And what cannot be sent is told: the verb did not do its work."""
    from lsbench.store import owned

    def fail():
        raise StoreError("s3://bucket/path: cannot be written")

    monkeypatch.setattr(owned, "send_changes", fail)
    found, _, err = call(*verb)
    assert found == code
    assert "lsbench: s3://bucket/path: cannot be written" in err.splitlines()
