import json
from pathlib import Path

import pytest

from lsbench.core.atomic import write_json
from lsbench.core.errors import ConfigError, InterruptedRunError, UsageError
from lsbench.core.plugin_code import files_hash
from lsbench.core.waits import told_to
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.run import RunOptions, plan_run, results_folder
from lsbench.search.book import TrialBook
from lsbench.search.run import SearchParts, outcome_lines, require_packages, run_search
from lsbench.store.earlier import earlier_results
from lsbench.store.results import RESULT, SPEC, ResultsFolder
from lsbench.store.trials import FAILURE, add_epoch
from lsbench.suite.listing import plan_lines
from lsbench.suite.loader import load_suite
from lsbench.suite.trials import templates
from lsbench.tables.job_changes import known_jobs
from lsbench.tables.status import read_status
from lsbench.tables.summary import summarize

SETTINGS = [{"lr": lr} for lr in (0.001, 0.002, 0.003, 0.004)]


class FakeSearcher:
    """Trains nothing: trial n reaches val_top1 (n + 1) / 10, and ends as `ends` says, else is stopped."""

    def __init__(self, ends, settings):
        self.ends, self.settings, self.ran = ends, settings, []

    def draw(self, search):
        return self.settings

    def run(self, study):
        for trial in study.book.left(study.variant):
            settings = trial.settings or SETTINGS[trial.number]
            end = self.ends.get((study.variant, trial.number), "stopped")
            self.ran.append((study.variant, trial.number))
            study.book.started(study.variant, trial.number, settings, {"node": "a"})
            folder = study.book.folder.job_folder(str(trial.job.id))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / SPEC).write_text(trial.job.model_dump_json())
            value = (trial.number + 1) / 10
            for epoch in range(1, 4 if end == "ok" else 2):
                found = {"ev": "epoch", "epoch": epoch, "epochs": 3, "val_top1": value, "loss": 1.0}
                add_epoch(folder, found)
                study.book.progressed(study.variant, trial.number, found)
            if end == "interrupt":
                self.ends[study.variant, trial.number] = "ok"
                raise KeyboardInterrupt
            if end == "ok":
                write_result(folder, trial.job, value)
            elif end not in ("stopped", "lost"):
                write_json(folder / FAILURE, {"error_class": end, "message": "as written down"})
            study.book.ended(study.variant, trial.number, is_lost=end == "lost")


def write_result(folder, job, value):
    unknown = dict.fromkeys(("n", "ci_low", "ci_high", "ci_method"))
    record = {"job_id": job.id, "metric": "val_top1", "dataset": "fashion", "unit": "fraction", **unknown}
    record["setting"] = {}
    records = [{**record, "protocol": p, "value": v} for p, v in (("train", value), ("train|epoch=1", 0.99))]
    code = {plugin: files_hash(files) for plugin, files in job.code.items()}
    line = {"schema_version": 2, "job_id": job.id, "status": "ok", "code": code, "kind": "train"}
    line |= {"label": job.label, "wall_s": 1.0}
    write_json(folder / RESULT, {"job": line, "records": records})


@pytest.fixture
def graph(tiny, make_graph):
    tiny["jobs"][0]["train"]["epochs"] = 3
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    return make_graph(tiny)


@pytest.fixture
def search(tmp_path, fake_executor, watcher):
    def start(graph, ends=None, *, settings=SETTINGS, problems=(), blind=(), **options):
        def create():
            executor = fake_executor([Node("a", 4)])
            executor.token, executor.problems, executor.blind_nodes = "token", list(problems), list(blind)
            start.executors.append(executor)
            return executor

        start.searcher = FakeSearcher(ends or {}, settings)
        parts = SearchParts(
            create, lambda plan, folder: start.plans.append(plan) or watcher, lambda: start.searcher
        )
        return run_search(graph, RunOptions(tmp_path / "results", **options), parts)

    start.executors, start.plans = [], []
    return start


BOTH = {("ls", 1): "ok", ("ls", 2): "ok", ("id", 0): "ok"}


def test_a_search_leaves_records_journals_and_a_suite_that_runs(graph, search, tmp_path, watcher):
    outcome, has_run = search(graph, BOTH)
    assert has_run
    assert {name: (found.number, found.value) for name, found in outcome.best.items()} == {
        "ls": (2, 0.3),
        "id": (0, 0.1),
    }
    assert (outcome.states, outcome.epochs) == ({"ok": 3, "stopped": 5}, (14, 24))
    folder = results_folder(graph, tmp_path / "results")
    assert sorted(line["status"] for line in folder.jobs().values()) == ["ok"] * 3 + ["stopped"] * 5
    assert len(folder.records()) == 6
    assert [entry["label"] for entry in folder.manifest()["jobs"]][:2] == [
        "ls/train/trial0/seed0",
        "ls/train/trial1/seed0",
    ]
    tuned = load_suite(str(outcome.tuned))
    lrs = {v.name: tuned.jobs[0].spec_of[v.name]["lr"] for v in tuned.variants}
    assert lrs == {"ls": 0.003, "id": 0.001}
    told = {label: (state, message) for label, state, message in watcher.ended}
    assert told["ls/train/trial0/seed0"] == ("stopped", "after epoch 1 of 3, val top-1 10.00 %")
    assert told["ls/train/trial2/seed0"] == ("ok", "val top-1 30.00 %")
    assert len(told) == len(watcher.ended) == 8
    assert search.executors[0].events == ["start", "preflight", "close"]


def test_the_same_settings_are_tried_on_each_variant(graph, search, tmp_path):
    search(graph, BOTH)
    lines = (tmp_path / "results/tiny/default/trials.jsonl").read_text().splitlines()
    tried = {}
    for line in map(json.loads, lines):
        tried.setdefault(line["variant"], []).append(line["settings"])
    assert tried["ls"] == tried["id"] == SETTINGS


def test_a_search_that_is_over_starts_nothing_and_says_the_same(graph, search):
    first, _ = search(graph, BOTH)
    second, has_run = search(graph, BOTH)
    assert not has_run
    assert len(search.executors) == 1
    assert second == first


def test_variants_that_a_flag_leaves_out_are_told(graph, search):
    outcome, _ = search(graph, BOTH, only=["ls"])
    assert outcome.left_out == ["id"]
    outcome, has_run = search(graph, BOTH, only=["ls"])
    assert (has_run, outcome.left_out) == (False, ["id"])
    assert search(graph, BOTH)[0].left_out == []
    assert search(graph, BOTH, only=["ls"])[0].left_out == []


def test_an_interrupted_search_goes_on_with_what_has_not_ended(graph, search):
    with pytest.raises(InterruptedRunError, match="run the same command to continue"):
        search(graph, {**BOTH, ("ls", 2): "interrupt"})
    assert search.executors[0].events[-1] == "close"
    outcome, _ = search(graph, BOTH)
    assert search.searcher.ran[:2] == [("ls", 2), ("ls", 3)]
    assert len(search.searcher.ran) == 6
    assert outcome.best["ls"].number == 2


def test_a_result_that_the_journals_missed_counts(graph, search, tmp_path):
    search(graph, BOTH)
    folder = results_folder(graph, tmp_path / "results")
    for name in ("trials.jsonl", "jobs.jsonl", "records.jsonl"):
        (folder.root / name).unlink()
    search(graph, BOTH)
    assert sorted(set(search.searcher.ran) & set(BOTH)) == []
    assert len(folder.records()) == 6


def test_another_search_begins_anew(tiny, graph, search, make_graph):
    search(graph, BOTH)
    tiny["search"]["seed"] = 1
    search(make_graph(tiny), BOTH)
    assert ("ls", 0) in search.searcher.ran
    assert ("ls", 1) not in search.searcher.ran, "the same training needs no second run"


def test_a_divergence_is_final_and_other_failures_are_tried_again(graph, search):
    outcome, _ = search(graph, {**BOTH, ("ls", 0): "diverged", ("ls", 3): "ValueError"})
    assert outcome.states["failed"] == 2
    search(graph, {**BOTH, ("ls", 3): "ok"})
    assert search.searcher.ran == [("ls", 3)]


def test_a_lost_trial_is_taken_up_again_a_few_times(graph, search):
    outcome, _ = search(graph, {**BOTH, ("ls", 0): "lost"})
    assert search.searcher.ran.count(("ls", 0)) == 3
    assert outcome.states["waiting"] == 1


def test_a_variant_without_a_full_trial_is_named_and_left_out(graph, search):
    outcome, _ = search(graph, {("id", 0): "ok"})
    assert outcome.untuned == ["ls"]
    assert "no trial finished: ls" in "\n".join(lines_of(outcome))
    assert [variant.name for variant in load_suite(str(outcome.tuned)).variants] == ["id"]


def lines_of(outcome, **more):
    return list(outcome_lines(outcome, **{"results": Path("results"), "data": None, "limit": None, **more}))


def test_the_last_line_is_the_command_to_run(graph, search, tmp_path):
    outcome, _ = search(graph, BOTH)
    best, text = lines_of(outcome, results=tmp_path / "r", limit=2)[-2:]
    assert best == "best of id: id/train/trial0/seed0, val top-1 10.00 % with lr=0.001"
    assert text == f"run them with: lsbench run {outcome.tuned} --results {tmp_path / 'r'} --limit 2"


def test_flags_choose_the_variants(graph, search):
    outcome, _ = search(graph, BOTH, only=["id"])
    assert {variant for variant, _ in search.searcher.ran} == {"id"}
    assert outcome.untuned == []


def test_settings_that_follow_from_results_are_kept_when_a_trial_starts(tiny, make_graph, search):
    tiny["jobs"][0]["train"]["epochs"] = 3
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    tiny["search"]["algorithm"] = "tpe"
    graph = make_graph(tiny)
    ends = {(variant, n): "ok" for variant in ("ls", "id") for n in range(4)}
    with pytest.raises(InterruptedRunError):
        search(graph, {**ends, ("ls", 1): "interrupt"}, settings=[])
    outcome, _ = search(graph, ends, settings=[])
    assert ("ls", 0) not in search.searcher.ran
    assert search.searcher.ran[0] == ("ls", 1)
    assert outcome.best["ls"].settings == SETTINGS[3]


def test_problems_of_models_stop_it_before_any_trial(graph, search):
    with pytest.raises(ConfigError, match="wrong"):
        search(graph, problems=["variant 'ls': wrong"])
    assert search.searcher.ran == []


def test_trials_share_files_so_a_node_that_does_not_see_them_stops_it(graph, search):
    with pytest.raises(ConfigError, match=r"node b: cannot use .*; use a folder that all nodes share"):
        search(graph, blind=["b"])
    assert search.searcher.ran == []


def test_a_suite_without_search_is_refused(tiny, make_graph, search):
    with pytest.raises(UsageError, match="has no search"):
        search(make_graph(tiny))


def test_optuna_is_asked_for_only_by_tpe(tiny, make_graph, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    require_packages(make_graph(tiny).suite.search)
    tiny["search"]["algorithm"] = "tpe"
    with pytest.raises(ConfigError, match=r'pip install "lsbench\[search\]"'):
        require_packages(make_graph(tiny).suite.search)


@pytest.fixture
def edited(tiny, make_graph, install):
    """Return what builds the graph of a search in which `ls` has an outside mixer, after an edit of it."""
    site = install({"acme.mixer": ""}, {"lsbench.mixers": {"acme_mixer": "acme.mixer"}})
    tiny["jobs"][0]["train"]["epochs"] = 3
    tiny["variants"][0]["mixer"] = "acme_mixer"
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}

    def make(source):
        (site / "acme" / "mixer.py").write_text(f"{source}\n\n\ndef MIXER(dim):\n    return None\n")
        return make_graph(tiny)

    return make


def test_an_edited_mixer_makes_all_its_trials_due_and_those_of_no_other(edited, search, tmp_path):
    search(edited("KERNEL = 5"), BOTH)
    _, has_run = search(edited("# a comment\nKERNEL = 5"), BOTH)
    assert not has_run
    graph, options = edited("KERNEL = 9"), RunOptions(tmp_path / "results")
    assert "  due: 4 trials, as code of mixer acme_mixer changed (acme/mixer.py)" in list(
        plan_lines(plan_run(graph, options))
    )
    folder = results_folder(graph, options.results)
    shown = [(row.variant, row.cells["state"].text) for row in summarize(folder).rows]
    assert {state for variant, state in shown if variant == "ls"} == {"due"}
    assert "due" not in {state for variant, state in shown if variant == "id"}
    status = read_status(folder)
    assert status.counts["train"] == {"due": 4, "ok": 1, "stopped": 3}
    assert status.trainings == {}, "a stopped trial does not go on"
    states = {one.label: one.state() for one in known_jobs(folder)}
    assert states["ls/train/trial1/seed0"].startswith("due: code of mixer acme_mixer changed")
    told = "stopped early by its search after epoch 1 of 3; due: code of mixer acme_mixer"
    assert states["ls/train/trial0/seed0"].startswith(told)
    outcome, has_run = search(graph, {("ls", 0): "ok"})
    assert has_run
    plan = search.plans[-1]
    assert {plan.state(job) for job in plan.todo} == {"to rerun"}
    assert (len(plan.todo), {*plan.due.values()}) == (4, {"code of mixer acme_mixer changed (acme/mixer.py)"})
    assert search.searcher.ran == [("ls", number) for number in range(4)]
    assert outcome.best["ls"].number == 0  # the best of the earlier code is not taken for current
    trials = [entry["id"] for entry in folder.manifest()["jobs"] if entry["variant"] == "ls"]
    assert [len(earlier_results(folder, name)) for name in trials] == [1] * 4
    assert plan_run(graph, options).due == {}
    assert not search(graph)[1]


def test_a_search_tells_which_images_its_trials_write_and_watchers_know_the_nodes(
    tiny, make_graph, search, watcher, tmp_path, monkeypatch
):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    told, heard = [], []
    monkeypatch.setattr(watcher, "nodes_changed", lambda nodes, most: told.append((nodes, most)))
    tiny["jobs"][0]["train"]["epochs"] = 3
    tiny["search"] = {"space": {"lr": {"uniform": [0.001, 0.01]}}, "budget": {"trials": 4}}
    with told_to(heard.append):
        search(make_graph(tiny), BOTH, max_parallel=2)
    assert heard == ["the first trials write the images of fashion, once on this machine"]
    assert told == [([Node("a", 4)], 2)]


def test_a_plan_counts_the_trials_that_are_left_and_writes_nothing(graph, search, tmp_path):
    search(graph, BOTH)
    folder = ResultsFolder(tmp_path / "results" / "tiny" / "default")
    before = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    book = TrialBook(folder, graph.suite.search, templates(graph, 0))
    assert len(book.plan(graph, ["ls", "id"]).todo) == 8
    book.look()
    assert book.plan(graph, ["ls", "id"]).todo == ()
    assert {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()} == before
