import csv
import io
import json

import pytest

import lsbench
from lsbench.cli.main import run_command
from lsbench.core.registry import MIXERS
from lsbench.suite.loader import folder_name, shipped_suites

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def call(results, capsys):
    """Run a command line; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def quick(tiny):
    """A suite of one variant and one seed."""
    tiny["variants"] = tiny["variants"][1:]
    tiny["jobs"][2]["profile"] = {"probes": ["params", "macs"]}
    return {**tiny, "seeds": [0]}


def inline(suite, results, *more):
    return "run", suite, "--scheduler", "inline", "--results", results, *more


def test_a_suite_runs_once_and_a_new_variant_runs_only_its_own_jobs(call, quick, write_suite, results):
    suite = write_suite(quick)
    code, out, err = call(*inline(suite, results))
    assert code == 0
    assert "tiny (default)" in out
    assert "id (baseline)" in out
    assert "[3/3]" in err
    code, out, err = call(*inline(suite, results))
    assert (code, out) == (0, "")
    assert "nothing left to do, every job is done" in err

    quick["variants"].append({"name": "new", "mixer": "large_small_static"})
    write_suite(quick)
    code, out, _ = call("plan", suite, "--results", results, "--json")
    states = {row["job"]: row["state"] for row in map(json.loads, out.splitlines())}
    assert {name.split("/")[0] for name, state in states.items() if state == "to run"} == {"new"}
    code, _, err = call(*inline(suite, results))
    assert code == 0
    assert "3 jobs to run, 3 done before" in err

    code, out, _ = call("status", "tiny", "--results", results)
    assert (code, out.splitlines()[0]) == (0, "tiny (default): complete")
    code, out, _ = call("status", "--results", results, "--json")
    status = json.loads(out)
    assert status["jobs"] == {"train": {"ok": 2}, "evaluate": {"ok": 2}, "profile": {"ok": 2}}


def test_a_run_for_machines_keeps_stdout_to_json(call, quick, write_suite, results):
    code, out, err = call(*inline(write_suite(quick), results, "--json", "--only", "profile"))
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["start", "progress", "progress", "end", "report"]
    assert events[-1]["tables"][0]["suite"] == "tiny"
    assert "jobs to run" in err


def test_a_failing_job_is_exit_three_and_the_others_go_on(call, quick, write_suite, results):
    quick["jobs"][0]["train"]["batch_size"] = 100
    code, out, err = call(*inline(write_suite(quick), results))
    assert code == 3
    assert "1 ok, 1 failed, 1 skipped; the same command tries them again." in err
    assert "expected at least one batch of 100 images" in err
    assert "failed" in out
    code, out, _ = call("status", "--results", results)
    assert (code, out.splitlines()[0]) == (0, "tiny (default): failed jobs")
    assert "id/train/seed0: ConfigError: expected at least one batch" in out
    assert call("report", "tiny", "--results", results)[0] == 0


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_plan_or_dry_run_does_nothing_on_disk(command, call, quick, write_suite, results):
    more = ["--dry-run"] if command == "run" else []
    code, out, _ = call(command, write_suite(quick), "--results", results, *more)
    assert code == 0
    assert "id/train/seed0" in out
    assert "left: 1 train" in out
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "smok"], "smok: no such suite file (did you mean 'smoke'?)"),
        (["plan", "smoke", "--preset", "x"], "no preset 'x'"),
        (["plan", "smoke", "--seeds", "0,a"], "--seeds 0,a: expected whole numbers with commas"),
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


def test_every_problem_of_a_suite_is_a_line(call, tiny, write_suite):
    tiny["sedes"] = [1]
    tiny["variants"][0]["mixer"] = "ls_conf"
    path = write_suite(tiny)
    code, _, err = call("validate", path)
    assert code == 2
    assert [line.startswith(f"lsbench: {path}:") for line in err.splitlines()] == [True, True]


def test_a_traceback_is_shown_only_when_asked_for(call):
    assert "Traceback" not in call("plan", "smok")[2]
    code, _, err = call("--traceback", "plan", "smok")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("lsbench: smok: no such suite file")


def test_results_that_cannot_be_written_are_exit_two(call, quick, write_suite, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = call(*inline(write_suite(quick), tmp_path / "file"))
    assert code == 2
    assert "choose another with --results DIR" in err


@pytest.mark.parametrize("command", [["report"], ["status"], ["report", "smoke"], ["status", "smoke"]])
def test_an_empty_store_is_exit_five_with_what_to_do(command, call, results):
    code, out, err = call(*command, "--results", results)
    assert (code, out) == (5, "")
    assert "start with `lsbench run " in err


def test_data_that_is_missing_is_exit_two(call, tiny, write_suite, results, tmp_path):
    tiny["defaults"]["dataset"] = "imagenet"
    code, _, err = call(*inline(write_suite(tiny), results, "--data", tmp_path / "data"))
    assert code == 2
    assert str(tmp_path / "data") in err


def test_an_interrupted_run_is_exit_130(call, quick, write_suite, results, monkeypatch):
    def interrupt(self, timeout_s):
        raise KeyboardInterrupt

    monkeypatch.setattr("lsbench.scheduler.inline.InlineExecutor.poll", interrupt)
    code, _, err = call(*inline(write_suite(quick), results, "--only", "profile"))
    assert code == 130
    assert "interrupted; finished jobs are kept" in err


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


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("models", "lsnet_t"),
        ("mixers", "ls_conv"),
        ("datasets", "fashion"),
        ("jobs", "train"),
        ("metrics", "top5"),
        ("probes", "latency"),
        ("loggers", "tensorboard"),
        ("reports", "markdown"),
        ("suites", "smoke"),
    ],
)
def test_everything_can_be_listed(what, expected, call):
    code, out, _ = call("list", what)
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert expected in names
    _, out, _ = call("list", what, "--json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == names
    if what == "mixers":
        assert names == MIXERS.names()


def test_a_list_may_be_narrowed(call):
    code, out, _ = call("list", "models", "repvit_m1_*")
    assert code == 0
    assert "repvit_m1_1" in out
    assert all(line.startswith("repvit_m1_") for line in out.splitlines())


@pytest.mark.parametrize("suite", shipped_suites())
def test_shipped_suites_are_valid(suite, call):
    code, out, _ = call("validate", suite)
    assert code == 0
    assert out.splitlines()[0].startswith(f"{folder_name(suite)} (default): ok: ")


def test_the_schema_is_json(call):
    code, out, _ = call("schema")
    assert code == 0
    assert json.loads(out)["title"] == "lsbench suite"


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


def test_a_search_needs_ray_and_says_what_it_would_take(tiny, write_suite, call, results):
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    suite = write_suite(tiny)
    code, _, err = call(*inline(suite, results))
    assert (code, err) == (2, "lsbench: --scheduler inline: a search needs Ray; leave the option out\n")
    code, out, _ = call("plan", suite)
    assert code == 0
    assert "4 trials x at most 1 epochs x 2 variants = at most 8 epochs" in out
    code, out, _ = call("plan", suite, "--json")
    assert [json.loads(line)["most_epochs"] for line in out.splitlines()] == [4, 4]
