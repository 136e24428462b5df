"""The verb `gate`, with nights that are filled by hand instead of run."""

import json
from types import SimpleNamespace

import pytest

from lsbench.cli.main import run_command
from lsbench.core.next_command import next_command
from lsbench.scheduler.run import plan_run
from lsbench.store.results import ResultsFolder

GATE = [
    {"metric": "top1", "min_effect": 0.05},
    {"metric": "latency_ratio", "min_effect": 0.03},
    {"metric": "macs"},
]


@pytest.fixture
def suite(tiny, write_suite):
    tiny["jobs"][2]["profile"] = {"control": "lsnet_nano"}
    tiny["gate"] = GATE
    return write_suite(tiny)


@pytest.fixture
def call(tmp_path, capsys):
    """Run `gate`; return exit code, stdout and stderr."""

    def run(suite, *arguments, results="results"):
        code = run_command(["gate", suite, "--results", str(tmp_path / results), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def nights(monkeypatch, fill_store, night_records, keep_arrays):
    """What each run of the scheduler is to measure: keywords of `night_records` and `keep_arrays`.

    `runs` says of each run in which preset's folder, and for which jobs alone it was; `again`, which finished
    jobs it was to run again.
    """
    told = SimpleNamespace(waiting=[], runs=[], again=[], code=None)

    def run_jobs(graph, options, scheduler, address):
        told.runs.append((graph.suite.preset, list(options.only)))
        told.again.append({job.label for job in plan_run(graph, options).again})
        night = dict(told.waiting.pop(0))
        records = night_records(graph, **{key: night.pop(key) for key in ("ratio", "macs") if key in night})
        wanted = options.only or [job.label for job in graph.jobs]
        folder = fill_store(
            graph,
            lambda job: records(job) if job.label in wanted else None,
            night.pop("failed", ()),
            options.results,
        )
        keep_arrays(graph, folder, **night)

    monkeypatch.setattr("lsbench.cli.gate.run_jobs", run_jobs)
    monkeypatch.setattr("lsbench.cli.gate._code_here", lambda: told.code)
    return told


@pytest.fixture
def baseline(call, suite, nights, tmp_path):
    """Write the baseline of a usual night and return its file."""
    nights.waiting.append({})
    assert call(suite, "--update-baseline")[0] == 0
    nights.runs.clear()
    return tmp_path / "results" / "baselines" / "tiny.json"


def verdicts(out):
    rows = json.loads(out)["findings"]
    return {f"{row['variant']}/{row['metric']}": row["verdict"] for row in rows}


def test_a_night_like_the_baseline_is_ok(call, suite, nights, baseline):
    nights.waiting.append({"seed": 1})
    code, out, err = call(suite, "--baseline", baseline, "--format", "json", results="tonight")
    assert (code, err) == (0, "")
    assert set(verdicts(out).values()) == {"ok"}
    assert nights.runs == [("default", [])]


def test_without_a_baseline_nothing_is_started(call, suite, nights):
    code, out, err = call(suite)
    assert (code, out, nights.runs) == (4, "", [])
    assert err.count("\n") == 1
    assert "baselines/tiny.json: there is no baseline; write one with" in err


def test_a_slowdown_alarms_after_a_second_measurement_of_its_jobs(call, suite, nights, baseline, tmp_path):
    nights.waiting += [{"slow": 1.06, "seed": 1}, {"slow": 1.06, "seed": 2}]
    code, out, err = call(suite, "--baseline", baseline, "--format", "json", results="tonight")
    assert code == 1
    assert verdicts(out)["ls/latency_ratio"] == verdicts(out)["id/latency_ratio"] == "regressed"
    assert nights.runs == [("default", []), ("default/recheck-1", ["ls/profile", "id/profile"])]
    assert "2 suspected regressions: measuring 2 jobs once more." in err
    again = ResultsFolder(tmp_path / "tonight" / "tiny" / "default" / "recheck-1")
    assert len(again.jobs()) == 2


def test_a_slowdown_that_is_gone_alarms_nobody(call, suite, nights, baseline):
    nights.waiting += [{"slow": 1.06, "seed": 1}, {"slow": 1.0, "seed": 2}]
    code, out, _ = call(suite, "--baseline", baseline, "--format", "json", results="tonight")
    assert code == 0
    [reason, _] = [f["reason"] for f in json.loads(out)["findings"] if f["metric"] == "latency_ratio"]
    assert reason.startswith("not confirmed: first measured +")


def test_a_second_measurement_that_fails_is_inconclusive(call, suite, nights, baseline):
    nights.waiting += [{"slow": 1.06, "seed": 1}, {"failed": ("ls/profile", "id/profile")}]
    code, out, _ = call(suite, "--baseline", baseline, "--format", "json", results="tonight")
    assert code == 4
    assert verdicts(out)["ls/latency_ratio"] == "inconclusive"


def test_more_macs_alarm_at_once(call, suite, nights, baseline):
    nights.waiting.append({"macs": 3.1e8, "seed": 1})
    code, out, _ = call(suite, "--baseline", baseline, "--format", "json", results="tonight")
    assert (code, len(nights.runs)) == (1, 1)
    assert verdicts(out)["ls/macs"] == "regressed"


def test_no_run_reads_alone_and_a_timing_measured_once_alarms_nobody(call, suite, nights, baseline, tmp_path):
    nights.waiting += [{"slow": 1.06, "seed": 1}, {"slow": 1.0, "seed": 2}]
    call(suite, "--baseline", baseline, results="tonight")
    nights.runs.clear()
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = call(suite, "--baseline", baseline, "--no-run", "--format", "json", results="tonight")
    assert (code, nights.runs) == (4, [])
    assert verdicts(out)["ls/latency_ratio"] == "inconclusive"
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []


def test_no_run_without_results_is_exit_five(call, suite, nights, baseline):
    code, _, err = call(suite, "--baseline", baseline, "--no-run", results="empty")
    assert (code, nights.runs) == (5, [])
    assert "no results to judge; leave --no-run out" in err


def test_failed_jobs_are_exit_three_and_named(call, suite, nights, baseline):
    nights.waiting.append({"failed": ("ls/profile",), "seed": 1})
    code, out, _ = call(suite, "--baseline", baseline, results="tonight")
    assert code == 3
    assert "1 job failed, due, running or waiting: ls/profile." in out


def test_numbers_of_other_code_are_no_judgement_of_this_one(call, suite, nights, baseline):
    nights.waiting.append({})
    nights.code = "newer"
    code, out, _ = call(suite, "--baseline", baseline, "--format", "json")
    assert (code, set(verdicts(out).values())) == (4, {"inconclusive"})
    nights.waiting.append({})
    code, _, err = call(suite, "--update-baseline")
    assert code == 4
    assert "measured with different code than the current one" in err
    assert err.rstrip().endswith("is unchanged")


@pytest.mark.parametrize(
    ("night", "code", "reason"),
    [
        ({"failed": ("ls/profile",)}, 3, "1 job has no result, e.g. ls/profile"),
        ({"ratio": None}, 4, "ls latency_ratio: all disturbed"),
    ],
)
def test_an_incomplete_night_leaves_the_old_baseline(night, code, reason, call, suite, nights, baseline):
    before = baseline.read_bytes()
    nights.waiting.append(night)
    found = call(suite, "--baseline", baseline, "--update-baseline", results="tonight")
    assert found[0] == code
    assert reason in found[2]
    assert "is unchanged" in found[2]
    assert baseline.read_bytes() == before


def test_a_half_written_or_foreign_baseline_is_exit_two_before_anything_starts(
    call, suite, nights, baseline, tiny, write_suite
):
    whole = baseline.read_text()
    baseline.write_text(whole[:400])
    assert call(suite)[0] == 2
    baseline.write_text(whole.replace('"schema_version": 1', '"schema_version": 7'))
    code, _, err = call(suite)
    assert (code, err.count("\n")) == (2, 1)
    assert "expected schema version 1, found 7" in err
    baseline.write_text(whole)
    tiny["name"] = "other"
    code, _, err = call(write_suite(tiny), "--baseline", baseline)
    assert code == 2
    assert "expected the baseline of other (default), found that of tiny (default)" in err
    assert nights.runs == []


def test_rows_that_nothing_matches_are_exit_five(call, suite, nights, baseline, tiny, write_suite):
    tiny["variants"] = [{"name": "renamed", "mixer": "identity"}]
    nights.waiting.append({})
    code, _, err = call(write_suite(tiny), "--baseline", baseline, results="tonight")
    assert code == 5
    assert "share no row of" in err


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"gate": []}, "no rules for the gate"), ({"gate": [{"metric": "top1"}]}, "give min_effect")],
)
def test_a_suite_without_rules_or_with_wrong_ones_is_exit_two(change, reason, call, tiny, write_suite):
    code, _, err = call(write_suite({**tiny, **change}))
    assert code == 2
    assert reason in err


def test_files_are_written_beside_the_table(call, suite, nights, baseline, tmp_path):
    nights.waiting.append({"seed": 1})
    summary, junit, history = tmp_path / "summary.md", tmp_path / "junit.xml", tmp_path / "history.parquet"
    flags = ["--format", "markdown", "-o", summary, "--junit", junit, "--history", history]
    code, out, _ = call(suite, "--baseline", baseline, *flags, results="tonight")
    assert code == 0
    assert out.startswith("tiny (default): 6 ok")
    assert summary.read_text().startswith("### tiny (default): 6 ok")
    assert junit.read_text().startswith("<?xml")
    assert history.exists()
    nights.waiting.append({"seed": 2})
    code, _, err = call(suite, "--baseline", baseline, "--junit", tmp_path, results="tonight")
    assert code == 2
    assert f"--junit {tmp_path}: cannot be written" in err


def test_a_search_has_nothing_to_judge(call, write_suite, tiny):
    tiny["gate"] = [{"metric": "top1", "min_effect": 0.1}]
    tiny["search"] = {"space": {"lr": {"uniform": [0.1, 0.2]}}, "metric": "val_top1", "budget": {"trials": 2}}
    tiny["jobs"][0]["train"]["validate_every"] = 1
    code, _, err = call(write_suite(tiny))
    assert code == 2
    assert "it is a search" in err


def test_the_nights_of_a_suite_are_charted_in_its_report(call, suite, nights, baseline, tmp_path, capsys):
    for seed in (1, 2):
        nights.waiting.append({"seed": seed})
        assert call(suite, "--baseline", baseline, results="tonight")[0] == 0
    assert run_command(["report", "tiny", "--results", str(tmp_path / "tonight")]) == 0
    assert "tiny (default): gate" in capsys.readouterr().out
    assert run_command(["report", "--format", "markdown", "--results", str(tmp_path / "tonight")]) == 0
    assert "#### tiny (default): gate" in capsys.readouterr().out


@pytest.fixture
def regressed(nights):
    """A night in which the models cost more, without a doubt."""
    nights.waiting.append({"macs": 3.1e8, "seed": 1})


def test_a_damaged_history_is_one_line_and_the_verdict_stands(
    call, suite, nights, baseline, regressed, tmp_path
):
    history, junit = tmp_path / "history.parquet", tmp_path / "junit.xml"
    history.write_bytes(b"PAR1 half")
    flags = ["--baseline", baseline, "--history", history, "--junit", junit]
    code, out, err = call(suite, *flags, results="tonight")
    assert code == 1
    assert "regressed" in out
    assert junit.read_text().startswith("<?xml")
    [line] = [line for line in err.splitlines() if "the history" in line]
    assert line.startswith(f"lsbench: the history is left out: {history}: damaged history (")
    assert history.read_bytes() == b"PAR1 half"
    code, _, err = call(suite, *flags, "--no-run", results="tonight")
    assert code == 1
    assert "the history is left out" in err


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(28, "No space left"), KeyError("x")]
)
def test_the_verdict_and_junit_come_before_the_history(
    error, call, suite, nights, baseline, tmp_path, monkeypatch
):
    junit, seen = tmp_path / "junit.xml", []

    def add_night(*_):
        seen.append(junit.exists())
        raise error

    monkeypatch.setattr("lsbench.gate.history.add_night", add_night)
    nights.waiting.append({"seed": 1})
    code, out, err = call(suite, "--baseline", baseline, "--junit", junit, results="tonight")
    assert (code, seen) == (0, [True])
    assert "6 ok" in out
    assert "lsbench: tonight is not in the history: " in err


def test_the_history_may_be_no_file_at_all(call, suite, nights, baseline, tmp_path):
    for place in (tmp_path, "/dev/null"):
        nights.waiting.append({"seed": 1})
        code, _, err = call(suite, "--baseline", baseline, "--history", place, results="tonight")
        assert code == 0
        assert f"the history is left out: {place}: expected the history in a Parquet file" in err


def test_a_file_that_fails_after_the_verdict_hides_no_regression(
    call, suite, nights, baseline, regressed, tmp_path
):
    junit = tmp_path / "junit.xml"
    flags = ["--baseline", baseline, "-o", "/dev/full", "--junit", junit]
    code, out, err = call(suite, *flags, results="tonight")
    assert code == 1
    assert "regressed" in out
    assert "lsbench: -o /dev/full: cannot be written (No space left on device)" in err
    assert junit.exists()
    nights.waiting.append({"seed": 1})
    code, out, _ = call(suite, *flags, results="tomorrow")
    assert code == 2
    assert "6 ok" in out


def test_an_output_that_cannot_be_written_is_told_before_anything_runs(
    call, suite, nights, baseline, tmp_path
):
    for flags in (["--junit", tmp_path], ["-o", tmp_path], ["-o", baseline / "below"], ["-o", "x.pdf"]):
        code, out, err = call(suite, "--baseline", baseline, *flags)
        assert (code, out, err.count("\n")) == (2, "", 1)
    assert call(suite, "--update-baseline", "--baseline", tmp_path)[0] == 2
    assert nights.runs == []


def test_a_baseline_behind_a_link_is_written_there(call, suite, nights, tmp_path):
    link = tmp_path / "baseline.json"
    link.symlink_to("kept.json")
    nights.waiting.append({})
    assert call(suite, "--update-baseline", "--baseline", link)[0] == 0
    assert link.is_symlink()
    assert (tmp_path / "kept.json").is_file()


def test_the_suffix_of_the_output_says_its_format(call, suite, nights, baseline, tmp_path):
    for name, start in (
        ("x.md", "### tiny"),
        ("x.json", "{"),
        ("x.xml", "<?xml"),
        ("x.txt", "tiny (default)"),
    ):
        nights.waiting.append({"seed": 1})
        code, _, err = call(suite, "--baseline", baseline, "-o", tmp_path / name, results="tonight")
        assert code == 0
        assert (tmp_path / name).read_text().lstrip().startswith(start)
        assert f"{tmp_path / name}: written (" in err


def test_a_disturbed_first_baseline_is_measured_again_by_the_same_command(call, suite, nights, tmp_path):
    nights.waiting += [{"ratio": None}, {}]
    code, _, err = call(suite, "--update-baseline")
    assert (code, err.count("\n")) == (4, 1)
    assert "ls latency_ratio: all disturbed; " in err
    assert "baselines/tiny.json is unchanged; run the same command again" in err
    assert not (tmp_path / "results" / "baselines").exists()
    assert call(suite, "--update-baseline")[0] == 0
    assert nights.again == [set(), {"ls/profile", "id/profile"}]
    assert (tmp_path / "results" / "baselines" / "tiny.json").exists()
    nights.waiting.append({})
    assert call(suite, "--update-baseline")[0] == 0
    assert nights.again[2] == set(), "what is conclusive stands"


def test_a_baseline_measures_only_timings_again_that_a_rule_names(call, tiny, write_suite, nights):
    tiny["jobs"][2]["profile"] = {"control": "lsnet_nano"}
    suite = write_suite({**tiny, "gate": [{"metric": "macs"}]})
    nights.waiting += [{"ratio": None}, {}]
    assert call(suite, "--update-baseline")[0] == 0
    assert call(suite, "--update-baseline")[0] == 0
    assert nights.again == [set(), set()]


def test_an_inconclusive_night_names_the_way_to_measure_it_again(call, suite, nights, tmp_path):
    baseline = tmp_path / "baseline.json"
    flags = ["--baseline", baseline, "--limit", "2", "--format", "json"]
    nights.waiting.append({})
    assert call(suite, *flags[:4], "--update-baseline", results="limited")[0] == 0
    nights.waiting[:] = [{"ratio": None, "seed": 1}]
    code, out, _ = call(suite, *flags, results="tonight")
    assert code == 4
    again = next_command("run", str(suite), "--retry-inconclusive", results=tmp_path / "tonight", limit=2)
    told = f"2 timings were too disturbed for a value; `{again}` measures again."
    assert told in json.loads(out)["notes"]
    assert nights.again[-1] == set()
