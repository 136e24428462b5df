import errno
import fcntl
import json
import os
import re
import subprocess

import pytest
from PIL import Image

from lsbench.cli.thumbnails import choose_images
from lsbench.store.results import ResultsFolder


def inline(suite, results, *more):
    return "run", suite, "--scheduler", "inline", "--results", results, *more


def test_a_suite_runs_once_and_a_new_variant_runs_only_its_own_jobs(
    call, quick, write_suite, results, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with subprocess.Popen(["true"]) as killed:
        mark = tmp_path / f"lsbench-{os.getuid()}-{killed.pid}.ray"
    suite = write_suite(quick)
    code, out, err = call(*inline(suite, results))
    assert code == 0
    assert "tiny (default)" in out
    assert "id (baseline)" in out
    assert "[3/3]" in err
    [ended] = [line for line in err.splitlines() if "id/evaluate/seed0 ok in " in line]
    assert re.search(r" s: top-1 [0-9.]+ %$", ended)
    folder, page = results / "tiny" / "default", f"lsbench report tiny -o tiny.html --results {results}"
    assert err.splitlines()[-2:] == [f"Results: {folder}", f"A page with charts: {page}"]
    mark.write_text("0123abcd")
    code, out, err = call(*inline(suite, results))
    assert (code, out) == (0, "")
    assert "nothing left to do, every job is done" in err
    assert not mark.exists(), "what a killed run has left goes with any next one"
    assert page in err

    quick["variants"].append({"name": "new", "mixer": "large_small_static"})
    write_suite(quick)
    code, out, _ = call("plan", suite, "--results", results, "--json")
    states = {row["job"]: row["state"] for row in map(json.loads, out.splitlines())}
    assert {name.split("/")[0] for name, state in states.items() if state == "to run"} == {"new"}
    code, _, err = call(*inline(suite, results))
    assert code == 0
    assert "3 jobs to run, 3 done before" in err
    shown = choose_images(ResultsFolder(results / "tiny" / "default"))
    thumbnails = list((results / "tiny" / "default" / "thumbnails").glob("*/*.jpg"))
    assert len(thumbnails) == sum(len(names) for _, names in shown.values()) > 0

    code, out, _ = call("status", "tiny", "--results", results)
    assert (code, out.splitlines()[0]) == (0, "tiny (default): complete")
    code, out, _ = call("status", "--results", results, "--json")
    status = json.loads(out)
    assert status["jobs"] == {"train": {"ok": 2}, "evaluate": {"ok": 2}, "profile": {"ok": 2}}


def test_a_run_for_machines_keeps_stdout_to_json(call, quick, write_suite, results):
    code, out, err = call(*inline(write_suite(quick), results, "--json", "--only", "profile"))
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["start", "time_left", "progress", "progress", "end", "report"]
    assert events[1]["unknown_of"] == []
    assert events[1]["seconds"] >= 1
    assert events[-1]["tables"][0]["suite"] == "tiny"
    assert "1 job to run" in err


QUITS = """
import sys
from lsbench.core.quantity import Quantity

QUANTITIES = (Quantity("quits", "count", None, "quits"),)


def PROBE(model, img_size, context):
    sys.exit(0)
"""


def test_a_job_that_leaves_the_process_fails_alone(call, quick, write_suite, results, install):
    install({"acme.quits": QUITS}, {"lsbench.probes": {"quits": "acme.quits"}})
    quick["jobs"] = [{"profile": {"name": "bad", "probes": ["quits"]}}, {"profile": {"probes": ["params"]}}]
    code, _, err = call(*inline(write_suite(quick), results))
    assert code == 3
    assert "1 ok, 1 failed, 0 skipped" in err
    assert "Traceback" in err  # of the job, whose log this is
    code, out, _ = call("status", "--results", results)
    assert (code, "id/bad: SystemExit: its code called sys.exit(0)" in out) == (0, True)


def test_a_failing_job_is_exit_three_and_the_others_go_on(call, quick, write_suite, results):
    quick["jobs"][0]["train"]["batch_size"] = 100
    code, out, err = call(*inline(write_suite(quick), results))
    assert code == 3
    assert "1 ok, 1 failed, 1 skipped; run the same command to retry them." in err
    assert "expected at least one batch of 100 images" in err
    assert "failed" in out
    code, out, _ = call("status", "--results", results)
    assert (code, out.splitlines()[0]) == (0, "tiny (default): failed jobs")
    assert "id/train/seed0: ConfigError: expected at least one batch" in out
    assert call("report", "tiny", "--results", results)[0] == 0


def test_results_that_cannot_be_written_are_exit_two(call, quick, write_suite, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = call(*inline(write_suite(quick), tmp_path / "file"))
    assert code == 2
    assert "choose another with --results DIR" in err


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


def test_a_search_needs_ray_and_says_what_it_would_take(tiny, write_suite, call, results):
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    suite = write_suite(tiny)
    code, _, err = call(*inline(suite, results))
    assert (code, err) == (2, "lsbench: --scheduler inline: a search needs Ray; omit the option\n")
    code, out, _ = call("plan", suite)
    assert code == 0
    assert "4 trials x at most 1 epoch x 2 variants = at most 8 epochs" in out
    code, out, _ = call("plan", suite, "--json")
    assert [json.loads(line)["most_epochs"] for line in out.splitlines()] == [4, 4]


def test_a_results_folder_without_locks_is_exit_two_and_one_line(
    call, quick, write_suite, results, monkeypatch
):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    code, out, err = call(*inline(write_suite(quick), results))
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert "No locks available" in line
    assert "--results DIR" in line


@pytest.mark.parametrize("scheduler", ["ray", "inline"])
def test_what_this_machine_lacks_ends_a_run_before_anything_is_written(
    call, quick, write_suite, results, monkeypatch, scheduler
):
    monkeypatch.setattr("lsbench.loggers.find_spec", lambda name: None)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + 100 * "x")
    quick["jobs"][0]["train"]["loggers"] = ["tensorboard"]
    code, out, err = call("run", write_suite(quick), "--scheduler", scheduler, "--results", results)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == {"ray": 2, "inline": 1}[scheduler]
    assert 'install it with `pip install "tensorboardX"`' in err
    assert not results.exists()


def test_nothing_is_left_only_if_so_and_else_it_is_said_how_much_which_flag_leaves_out(
    call, quick, write_suite, results
):
    suite = write_suite(quick)
    assert call(*inline(suite, results, "--only", "profile"))[0] == 0
    code, out, err = call(*inline(suite, results, "--skip", "evaluate", "--skip", "train"))
    assert (code, out) == (0, "")
    assert "tiny (default): nothing left to do; left out: 2 by --skip." in err
    assert "every job is done" not in err
    code, out, _ = call("plan", suite, "--results", results, "--only", "profile")
    assert out.splitlines()[-1] == "  left: nothing; done: 1; left out: 2 by --only"
    assert call(*inline(suite, results))[0] == 0
    assert "nothing left to do, every job is done" in call(*inline(suite, results, "--skip", "evaluate"))[2]


def test_a_training_that_runs_again_starts_from_scratch_and_takes_its_evaluation_with_it(
    call, quick, write_suite, results
):
    suite = write_suite(quick)
    assert call(*inline(suite, results))[0] == 0
    root = results / "tiny" / "default"
    before = {path.parent.name: path.stat().st_mtime_ns for path in root.glob("jobs/*/result.json")}
    weights = {path: path.read_bytes() for path in root.glob("jobs/*/checkpoints/weights.pt")}
    code, out, _ = call("plan", suite, "--results", results, "--rerun", "train")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines() if line.startswith("  to rerun ")] == [
        "id/train/seed0",
        "id/evaluate/seed0",
    ]
    assert "of these to rerun: 2; done: 1" in out.splitlines()[-2]
    dry = call(*inline(suite, results, "--rerun", "train", "-n"))
    assert (dry[0], dry[1]) == (0, out)
    assert not (root / "earlier").exists()

    code, _, err = call(*inline(suite, results, "--rerun", "id/tr*"))
    assert code == 0
    assert "2 jobs to run (2 of them again), 1 done before" in err
    assert "id/train/seed0: epoch 1/1" in err, "it did train, instead of reading its old checkpoint"
    after = {path.parent.name: path.stat().st_mtime_ns for path in root.glob("jobs/*/result.json")}
    changed = {name.split("-")[0] for name in after if after[name] != before[name]}
    assert changed == {"train", "evaluate"}
    assert {path: path.read_bytes() for path in weights} == weights, "the same weights, as training repeats"
    assert len(list(root.glob("earlier/*/1/result.json"))) == 2
    assert "every job is done" in call(*inline(suite, results))[2]
    [training] = [name for name in after if name.startswith("train")]
    assert (
        f"earlier result: {root / 'earlier' / training / '1'}"
        in call("show", training, "--results", results)[1]
    )


def test_inconclusive_timings_are_measured_again_if_asked(call, quick, write_suite, results):
    suite = write_suite(quick)
    assert call(*inline(suite, results, "--only", "profile"))[0] == 0
    [path] = results.glob("tiny/default/jobs/profile-*/result.json")
    result = json.loads(path.read_text())
    result["records"][0] |= {"value": None, "setting": {"inconclusive": "40% were disturbed"}}
    path.write_text(json.dumps(result))
    flags = ("--only", "profile")
    assert "nothing left to do" in call(*inline(suite, results, *flags))[2]
    code, _, err = call(*inline(suite, results, *flags, "--retry-inconclusive"))
    assert code == 0
    assert "1 job to run (1 of them again)" in err
    assert "nothing left to do" in call(*inline(suite, results, *flags, "--retry-inconclusive"))[2]


def test_a_rerun_of_nothing_or_of_a_search_is_exit_two(call, quick, write_suite, results):
    suite = write_suite(quick)
    for verb in (("plan", suite, "--results", results), inline(suite, results)):
        code, _, err = call(*verb, "--rerun", "profle")
        assert (code, err.count("\n")) == (2, 1)
        assert "--rerun profle: matches no job of suite 'tiny' (did you mean 'profile'?)" in err
    quick["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    suite = write_suite(quick)
    for flags in (["--rerun", "train"], ["--retry-inconclusive"]):
        for more in ([], ["-n"]):
            code, _, err = call(*inline(suite, results, *flags, *more))
            assert (code, err.count("\n")) == (2, 1)
            assert f"{flags[0]}: 'tiny' is a search, whose trials depend on each other" in err
    assert not results.exists()


def test_a_run_says_where_its_composed_figures_lie_and_whose_weights_are_random(
    call, tiny, write_suite, results
):
    tiny["jobs"] = [{"analyze": {"kind": "erf", "num_images": 2, "weights": "fresh"}}]
    code, _, err = call(*inline(write_suite({**tiny, "seeds": [0]}), results))
    assert code == 0
    assert "erf: ls has random weights" in err
    figures = results / "tiny" / "default" / "figures"
    assert f"Figure 1: {figures / 'figure1.pdf'}, .svg, .png" in err
    assert sorted(path.suffix for path in figures.iterdir()) == [".pdf", ".png", ".svg"]
    _, out, _ = call("report", "tiny", "--results", results, "--format", "markdown")
    assert "Side by side, for a paper, in figures/ of the results folder: figure1." in out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 7}, "expected labels from 0 to 1, or 255 for pixels that do not count, in "),
        ({"height": 30}, "with 32 x 48 pixels like "),
        ({"mode": "RGB"}, "expected a label map of one byte a pixel at "),
        ({"name": "b.png"}, "found none; add it or remove the image"),
    ],
)
def test_data_that_no_job_can_use_is_told_in_a_line_before_the_first_job(
    change, message, call, quick, write_suite, results, tmp_path
):
    how = {"label": 1, "height": 32, "mode": "L", "name": "a.png"} | change
    for split in ("train", "val"):
        for kind in ("images", "annotations"):
            (tmp_path / "own" / kind / split).mkdir(parents=True)
        Image.new("RGB", (48, 32)).save(tmp_path / "own" / "images" / split / "a.png")
        label_map = Image.new("L", (48, how["height"]), how["label"]).convert(how["mode"])
        label_map.save(tmp_path / "own" / "annotations" / split / how["name"])
    quick["defaults"]["model_args"] = {"stem_stride": 8}
    data = {"name": "semantic_png", "root": str(tmp_path / "own"), "classes": ["a", "b"]}
    quick["jobs"] = ["train", {"segment": {"dataset": data}}]

    code, out, err = call(*inline(write_suite(quick), results))

    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if message in line]
    assert line.startswith("lsbench: ")
    assert not list(results.glob("*/*/jobs/*"))
    assert not list(results.glob("*/*/manifest.json"))
