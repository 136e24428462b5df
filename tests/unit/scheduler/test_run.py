import contextlib
import json

import pytest
import yaml

from lsbench.core.errors import ConfigError, DataError, InterruptedRunError, StoreError, UsageError
from lsbench.core.lock import locked
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.run import RunOptions, plan_run, results_folder, run_suite, write_manifest
from lsbench.store.earlier import earlier_results
from lsbench.suite.graph import build_graph
from lsbench.suite.loader import load_suite


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


@pytest.fixture
def run(tmp_path, fake_executor, watcher):
    """Return what runs a graph on a fake executor; `run.executors` are those that were created."""

    def start(graph, ends=None, *, problems=(), **options):
        def create():
            executor = fake_executor([Node("a", 4)], ends)
            executor.problems = list(problems)
            start.executors.append(executor)
            return executor

        options = RunOptions(tmp_path / "results", **options)
        return run_suite(graph, options, create_executor=create, create_watcher=lambda plan, folder: watcher)

    start.executors = []
    return start


def test_a_run_leaves_manifest_suite_and_results(graph, run, tmp_path):
    outcome = run(graph)
    assert len(outcome.ok) == 10
    folder = results_folder(graph, tmp_path / "results")
    assert folder.root == tmp_path / "results" / "tiny" / "default"
    manifest = folder.manifest()
    assert [entry["id"] for entry in manifest["jobs"]] == [job.id for job in graph.jobs]
    assert manifest["jobs"][0]["variant"] == "ls"
    suite = yaml.safe_load((folder.root / "suite.yaml").read_text())
    assert [variant["name"] for variant in suite["variants"]] == ["ls", "id"]
    assert run.executors[0].events == ["start", "preflight", "close"]


def test_a_finished_suite_starts_nothing(graph, run):
    run(graph)
    assert run(graph) is None
    assert len(run.executors) == 1


def test_a_new_variant_runs_only_its_own_jobs(tiny, make_graph, run):
    run(make_graph(tiny))
    tiny["variants"].append({"name": "new", "mixer": "involution"})
    outcome = run(make_graph(tiny))
    assert {job.variant.name for job in outcome.ok} == {"new"}
    assert len(outcome.ok) == 5


def test_failed_jobs_are_tried_again_by_the_same_command(graph, run):
    first = run(graph, {"ls/train/seed0": ["ValueError"]})
    assert (len(first.ok), len(first.failed), len(first.skipped)) == (8, 1, 1)
    second = run(graph)
    assert sorted(job.label for job in second.ok) == ["ls/evaluate/seed0", "ls/train/seed0"]


def test_flags_never_shrink_the_manifest(graph, run, tmp_path):
    outcome = run(graph, only=["ls"], seeds=[0])
    assert len(outcome.ok) == 3
    manifest = results_folder(graph, tmp_path / "results").manifest()
    assert len(manifest["jobs"]) == 10


def test_flags_that_match_nothing_leave_nothing_on_disk(graph, run, tmp_path):
    with pytest.raises(UsageError):
        run(graph, only=["nothing"])
    assert not (tmp_path / "results").exists()


def test_what_a_crash_kept_from_the_journals_is_appended_first(graph, run, tmp_path):
    run(graph)
    folder = results_folder(graph, tmp_path / "results")
    whole = {key: len(folder.records()) for key in ("records",)}
    (folder.root / "records.jsonl").unlink()
    (folder.root / "jobs.jsonl").unlink()
    assert run(graph) is None
    assert len(folder.jobs()) == 10
    assert len(folder.records()) == whole["records"]


def test_an_interrupted_run_keeps_what_is_finished_and_closes(graph, run, tmp_path):
    with pytest.raises(InterruptedRunError, match="run the same command to continue"):
        run(graph, {"id/train/seed1": ["interrupt"]})
    assert run.executors[0].events[-1] == "close"
    done = plan_run(graph, RunOptions(tmp_path / "results")).done
    second = run(graph)
    assert len(second.ok) == 10 - len(done)
    assert run(graph) is None


def test_a_second_driver_is_told_who_owns_the_folder(graph, run, tmp_path):
    folder = results_folder(graph, tmp_path / "results")
    with locked(folder.lock_file, what="it"), pytest.raises(StoreError, match="in use by process"):
        run(graph)
    assert run.executors == []


def test_a_preflight_problem_stops_before_any_job_and_shows_no_manifest(graph, run, tmp_path):
    with pytest.raises(ConfigError, match="variant 'ls': wrong"):
        run(graph, problems=["variant 'ls': wrong"])
    assert run.executors[0].submitted() == []
    assert run.executors[0].events[-1] == "close"
    assert results_folder(graph, tmp_path / "results").manifest() is None


def test_absent_data_stops_a_run_that_needs_it_and_no_other(tiny, make_graph, run, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path / "nothing")
    with pytest.raises(DataError, match="imagenet"):
        run(graph)
    assert len(run(graph, only=["ls", "id"]).ok) == 10


def test_an_unchanged_manifest_is_not_written_again(graph, tmp_path):
    folder = results_folder(graph, tmp_path / "results")
    folder.create()
    write_manifest(graph, folder)
    path = folder.root / "manifest.json"
    before = path.stat().st_ino
    write_manifest(graph, folder)
    assert path.stat().st_ino == before
    path.write_text(json.dumps({**folder.manifest(), "suite": "changed"}))
    write_manifest(graph, folder)
    assert folder.manifest()["suite"] == "tiny"


def test_the_manifest_says_which_jobs_test_on_other_data(graph, tested, tmp_path):
    folder = results_folder(graph, tmp_path)
    folder.create()
    write_manifest(tested(graph), folder)
    jobs = folder.manifest()["jobs"]
    assert {(entry["name"], entry.get("on")) for entry in jobs} >= {
        ("evaluate", None),
        ("imagenet_a", "imagenet_a"),
    }
    assert {entry["dataset"] for entry in jobs} == {"fashion"}


def test_results_under_a_name_of_before_are_found_if_they_are_of_the_same_changes(
    tiny, write_suite, tmp_path, run
):
    path = write_suite(tiny)
    ours, theirs = (
        build_graph(load_suite(path, overrides=[f"description={text}"])) for text in ("a/b", "a_b")
    )
    run(theirs)
    folders = [results_folder(graph, tmp_path / "results").root.name for graph in (theirs, ours)]
    assert folders == ["default+description=a_b", ours.suite.preset]
    (tmp_path / "results" / "tiny" / folders[0]).rename(tmp_path / "results" / "tiny" / "other")
    run(ours)
    new = results_folder(ours, tmp_path / "results").root
    new.rename(new.parent / folders[0])  # as an earlier lsbench called it
    assert results_folder(ours, tmp_path / "results").root.name == folders[0]
    assert run(ours) is None
    assert results_folder(ours, tmp_path / "results").manifest()["preset"] == folders[0]
    (new.parent / folders[0] / "manifest.json").write_text("{")
    assert results_folder(ours, tmp_path / "results").root == new


SCORE = """
from lsbench.core.quantity import Quantity
METRIC = lambda logits, targets: logits.argmax(-1) == targets
QUANTITIES = (Quantity("acme_score", "fraction", True, "score"),)
"""


@pytest.fixture
def scored(tiny, make_graph, install):
    """Return what builds a graph with a metric of another package, after an edit of the metric."""
    site = install({"acme.score": SCORE}, {"lsbench.metrics": {"acme_score": "acme.score"}})
    tiny["jobs"][1] = {"evaluate": {"metrics": ["top1", "acme_score"]}}

    def make(edit=""):
        (site / "acme" / "score.py").write_text(SCORE + edit)
        return make_graph(tiny)

    return make


def test_what_is_due_runs_again_and_the_earlier_results_stay_aside(scored, run, tmp_path):
    run(scored())
    assert run(scored("# a comment")) is None
    outcome = run(scored("OFFSET = 1"))
    assert {job.name for job in outcome.ok} == {"evaluate"}
    folder = results_folder(scored("OFFSET = 1"), tmp_path / "results")
    for job in outcome.ok:
        [earlier] = earlier_results(folder, job.id)
        then, now = (
            json.loads((place / "result.json").read_text()) for place in (earlier, folder.job_folder(job.id))
        )
        assert then["job"]["code"] != now["job"]["code"]
    assert run(scored("OFFSET = 1")) is None
    assert len(folder.records()) == len({(r["job_id"], r["metric"]) for r in folder.records()})


def test_nothing_is_set_aside_before_the_preflight_has_passed(scored, run, tmp_path):
    run(scored())
    with pytest.raises(ConfigError):
        run(scored("OFFSET = 1"), problems=["variant 'ls': broken"])
    assert not (tmp_path / "results" / "tiny" / "default" / "earlier").exists()


def test_checkpoints_of_earlier_code_are_not_continued(scored, run, tmp_path):
    with pytest.raises(InterruptedRunError):
        run(scored(), ends={"ls/evaluate/seed0": ["interrupt"]})
    graph = scored("OFFSET = 1")
    folder = results_folder(graph, tmp_path / "results")
    name = next(job.id for job in graph.jobs if job.label == "ls/evaluate/seed0")
    (folder.job_folder(name) / "checkpoint").write_text("of the earlier code")
    run(graph)
    assert not (folder.job_folder(name) / "checkpoint").exists()
    assert (earlier_results(folder, name)[0] / "checkpoint").exists()


def test_jobs_are_measured_again_on_purpose_with_what_needs_them(graph, run, tmp_path):
    run(graph)
    folder = results_folder(graph, tmp_path / "results")
    ids = {job.label: job.id for job in graph.jobs}
    outcome = run(graph, rerun=["ls/train/seed0"])
    assert [job.label for job in outcome.ok] == ["ls/train/seed0", "ls/evaluate/seed0"]
    assert len(earlier_results(folder, ids["ls/train/seed0"])) == 1
    assert earlier_results(folder, ids["ls/train/seed1"]) == []
    assert run(graph) is None
    assert {line["status"] for line in folder.jobs().values()} == {"ok"}


def test_a_rerun_that_is_interrupted_goes_on_without_the_flag(graph, run, tmp_path):
    run(graph)
    with pytest.raises(InterruptedRunError, match="run the same command without --rerun to continue"):
        run(graph, {"id/train/seed1": ["interrupt"]}, rerun=["train"])
    left = plan_run(graph, RunOptions(tmp_path / "results")).todo
    assert {"id/train/seed1", "id/evaluate/seed1"} <= {job.label for job in left}
    done = 10 - len(left)
    outcome = run(graph)
    assert len(outcome.ok) == 10 - done
    assert run(graph) is None


def test_a_rerun_that_cannot_start_leaves_every_result_in_place(graph, run, tmp_path):
    run(graph)
    for options in ({"rerun": ["nothing"]}, {"rerun": ["train"], "problems": ["variant 'ls': wrong"]}):
        with pytest.raises((UsageError, ConfigError)):
            run(graph, **options)
    assert run(graph) is None
    assert not (results_folder(graph, tmp_path / "results").root / "earlier").exists()


def test_what_a_flag_leaves_out_but_needs_a_new_training_runs_the_next_time(graph, run):
    run(graph)
    outcome = run(graph, rerun=["ls/train/seed0"], skip=["evaluate"])
    assert [job.label for job in outcome.ok] == ["ls/train/seed0"]
    assert [job.label for job in run(graph).ok] == ["ls/evaluate/seed0"]


def test_a_rerun_that_fails_is_retried_by_the_next_run(graph, run, tmp_path):
    run(graph)
    outcome = run(graph, {"ls/profile": ["ValueError"]}, rerun=["profile"])
    assert [job.label for job in outcome.failed] == ["ls/profile"]
    assert results_folder(graph, tmp_path / "results").jobs()[outcome.failed[0].id]["status"] == "failed"
    assert [job.label for job in run(graph).ok] == ["ls/profile"]


def test_inconclusive_jobs_count_as_not_done_only_if_asked(graph, run, tmp_path):
    run(graph)
    folder = results_folder(graph, tmp_path / "results")
    one = next(job for job in graph.jobs if job.label == "id/profile")
    path = folder.job_folder(one.id) / "result.json"
    result = json.loads(path.read_text())
    record = {
        **result["records"][0],
        "metric": "latency_ms",
        "value": None,
        "setting": {"inconclusive": "noise"},
    }
    path.write_text(json.dumps({**result, "records": [record]}))
    assert run(graph) is None
    assert run(graph, retry_inconclusive=True, retry_metrics=frozenset({"throughput"})) is None
    outcome = run(graph, retry_inconclusive=True)
    assert [job.label for job in outcome.ok] == ["id/profile"]
    assert run(graph, retry_inconclusive=True) is None


@pytest.mark.parametrize("end", ["ok", "interrupt"])
def test_the_display_is_closed_before_the_executor_which_may_take_seconds(
    end, graph, run, watcher, monkeypatch, fake_executor
):
    order = []
    monkeypatch.setattr(watcher, "close", lambda: order.append("display"))
    monkeypatch.setattr(fake_executor, "close", lambda self: order.append("executor"))
    with contextlib.suppress(InterruptedRunError):
        run(graph, {"id/train/seed1": [end]})
    assert order == ["display", "executor"]


def test_watchers_know_the_nodes_before_the_first_job(graph, run, watcher, monkeypatch):
    told = []
    monkeypatch.setattr(
        watcher, "nodes_changed", lambda nodes, most: told.append((nodes, most, len(watcher.started)))
    )
    run(graph, max_parallel=2)
    assert told[0] == ([Node("a", 4)], 2, 0)
