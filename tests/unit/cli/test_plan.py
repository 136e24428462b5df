import re

import pytest

from lsbench.store.durations import Duration, add_duration
from lsbench.store.results import ResultsFolder


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_plan_or_dry_run_does_nothing_on_disk(command, call, quick, write_suite, results):
    more = ["--dry-run"] if command == "run" else []
    code, out, _ = call(command, write_suite(quick), "--results", results, *more)
    assert code == 0
    assert "id/train/seed0" in out
    assert "left: 1 train" in out
    assert not results.exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_this_machine_lacks_is_told_after_the_plan(
    command, call, quick, write_suite, results, monkeypatch
):
    monkeypatch.setattr("lsbench.loggers.find_spec", lambda name: None)
    monkeypatch.setenv("TMPDIR", "/tmp/" + 100 * "x")
    quick["jobs"][0]["train"]["loggers"] = ["tensorboard"]
    more = ["--dry-run"] if command == "run" else []
    code, out, err = call(command, write_suite(quick), "--results", results, *more)
    assert code == 2
    assert "id/train/seed0" in out
    assert [line.split(":")[1].split("=")[0] for line in err.splitlines()] == [" loggers", " TMPDIR"]
    code, _, err = call(command, write_suite(quick), "--results", results, *more, "--only", "profile")
    assert [line.split("=")[0] for line in err.splitlines()] == ["lsbench: TMPDIR"]


@pytest.mark.parametrize("command", [["plan"], ["run", "-n"], ["run"], ["validate"]])
def test_a_split_that_is_not_there_is_an_error_before_any_job(
    command, call, quick, write_suite, results, tmp_path
):
    (tmp_path / "own" / "train" / "a").mkdir(parents=True)
    (tmp_path / "own" / "train" / "a" / "0.png").write_bytes(b"1")
    quick["defaults"]["dataset"] = {"name": "image_folder", "root": str(tmp_path / "own"), "img_size": 32}
    more = [] if command == ["validate"] else ["--results", results]
    code, out, err = call(*command, write_suite(quick), *more)
    assert code == 2
    assert ("id/train/seed0" in out) == (command in (["plan"], ["run", "-n"]))
    assert f"expected a 'test' split in {tmp_path / 'own'}, found: train" in err
    assert not results.exists()


@pytest.mark.parametrize("command", [["plan"], ["run", "-n"]])
def test_a_plan_without_a_local_ray_needs_no_short_folder(
    command, call, quick, write_suite, results, monkeypatch
):
    monkeypatch.setenv("TMPDIR", "/tmp/" + 100 * "x")
    words = [*command, write_suite(quick), "--results", results]
    assert call(*words, "--scheduler", "inline")[0] == 0
    assert call(*words, "--address", "auto")[0] == 0
    assert call(*words)[0] == 2


def test_it_tells_how_long_the_jobs_left_take(call, quick, write_suite, results):
    words = ["plan", write_suite(quick), "--results", results]
    *_, last = call(*words)[1].splitlines()
    assert (
        last
        == "  time: more than 3 s on this machine, unknown until the first evaluate and train jobs have run"
    )
    *_, last = call(*words, "--only", "profile")[1].splitlines()
    assert last == "  time: about 3 s on this machine"
    quick["variants"][0]["dataset"] = "imagenet"
    *_, last = call("plan", write_suite(quick), "--results", results)[1].splitlines()
    assert last == "  time: unknown while data is missing"


def test_the_plan_of_a_search_tells_how_long_its_trials_take(call, quick, write_suite, results):
    quick["search"] = {"space": {"lr": {"uniform": [0.1, 0.2]}}, "budget": {"trials": 3}}
    words = ["plan", write_suite(quick), "--results", results]
    *_, last = call(*words)[1].splitlines()
    assert last == "  time: unknown until the first train job has run"
    folder = ResultsFolder(results / "tiny" / "default")
    folder.create()
    add_duration(folder, Duration(("train",), 1e6, 1.0, 3600.0))
    *_, last = call(*words)[1].splitlines()
    assert re.fullmatch(r"  time: about [0-9]+ h [0-9]{2} min on this machine", last)
