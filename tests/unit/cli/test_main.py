import csv
import io
import json

import pytest

import lsbench
from lsbench.cli.main import run_command

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


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
    assert code == (0 if all(finding["good"] for finding in findings) else 2)
    monkeypatch.setattr("lsbench.cli.doctor.PACKAGES", ("no-such-package",))
    code, out, _ = call("doctor", "--results", results)
    assert code == 2
    assert "BAD  no-such-package: not installed" in out


def test_a_report_of_smoke_tests_alone_says_how_to_see_them(tiny, write_suite, results, capsys):
    suite = write_suite({**tiny, "tags": ["smoke"], "jobs": [{"profile": {"probes": ["params"]}}]})
    assert run_command(["run", suite, "--results", str(results), "--scheduler", "inline"]) == 0
    capsys.readouterr()
    assert run_command(["report", "--results", str(results)]) == 5
    assert "only smoke tests; name one: `lsbench report tiny`" in capsys.readouterr().err


def test_a_wrong_word_is_answered_in_one_line(capsys):
    assert run_command(["list"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
