import io
import json
import re
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from lsbench.scheduler.progress import JsonWatcher, LiveWatcher, PlainWatcher, TimeLeft, describe, share_done
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan


@pytest.fixture
def plan(tiny, make_graph):
    return make_plan(make_graph(tiny), done=set(), only=[], skip=[], seeds=None)


@pytest.fixture
def empty(tmp_path):
    return ResultsFolder(tmp_path / "empty")


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200, highlight=False)


EPOCH = {"ev": "epoch", "epoch": 1, "epochs": 4, "loss": 1.25, "val_top1": 0.5}


def test_nothing_is_said_of_the_time_left_before_anything_is_known(plan, empty):
    assert TimeLeft(plan, empty).seconds_left({}, 2) is None


def test_the_time_left_is_that_of_the_work_left_at_the_rate_seen(plan, empty):
    estimate = TimeLeft(plan, empty)
    first = plan.todo[0]
    cost = plan.graph.cost
    estimate.learn(first.id, 10.0)
    rate = 10.0 / cost[first.label]
    left = sum(cost[job.label] for job in plan.todo) - cost[first.label]
    assert estimate.seconds_left({}, 1) == pytest.approx(left * rate)
    assert estimate.seconds_left({}, 2) == pytest.approx(left * rate / 2)
    other = plan.todo[1]
    assert estimate.seconds_left({other.id: 0.5}, 1) == pytest.approx((left - cost[other.label] / 2) * rate)


def test_finished_jobs_of_earlier_runs_are_learned_from(plan, fill_store, records_of):
    def first_only(job):
        return records_of(job) if job.id == plan.todo[0].id else None

    folder = fill_store(plan.graph, first_only)
    assert TimeLeft(plan, folder).seconds_left({}, 1) > 0


def test_the_time_left_falls_to_nothing(plan, empty):
    estimate = TimeLeft(plan, empty)
    for job in plan.todo:
        estimate.learn(job.id, 1.0)
    assert estimate.seconds_left({}, 1) == 0.0


def play(watcher, plan):
    job, other = plan.todo[0], plan.todo[1]
    watcher.job_started(job, {"node": "n"})
    watcher.job_progressed(job, {"ev": "step", "step": 1, "steps": 2, "epoch": 0, "epochs": 4})
    watcher.job_progressed(job, EPOCH)
    watcher.tick()
    watcher.job_ended(job, "retry", "timeout: too long")
    watcher.job_ended(job, "ok", "top-1 75.17 %")
    watcher.job_ended(other, "failed", "ValueError: bad [x]")
    watcher.close()
    return watcher.console.file.getvalue()


def test_a_log_has_a_line_per_epoch_and_end(plan, empty, console):
    lines = play(PlainWatcher(plan, empty, console), plan).splitlines()
    assert lines[0] == "tiny: 10 jobs to run, 0 done before"
    assert lines[1] == f"{plan.todo[0].label}: epoch 1/4, loss 1.250, val top-1 50.0 %"
    assert lines[2] == f"[0/10] {plan.todo[0].label} retry: timeout: too long"
    assert lines[3].startswith(f"[1/10] {plan.todo[0].label} ok in ")
    assert lines[3].endswith(" s: top-1 75.17 %")
    assert lines[4] == f"[2/10] {plan.todo[1].label} failed: ValueError: bad [x]"
    assert len(lines) == 5


def test_a_log_tells_each_part_of_a_job_once_and_nothing_of_jobs_of_a_moment(
    plan, empty, console, monkeypatch
):
    clock = [0.0]
    monkeypatch.setattr("lsbench.scheduler.progress.time.monotonic", lambda: clock[0])
    watcher, job = PlainWatcher(plan, empty, console), plan.todo[0]
    watcher.job_started(job, {"node": "n"})
    for now, part in ((0.1, "params"), (0.2, "latency")):
        clock[0] = now
        watcher.job_progressed(job, {"ev": "step", "step": 0, "steps": 4, "what": part})
        watcher.tick()
    for now in (1.5, 2.0, 9.0):
        clock[0] = now
        watcher.tick()
    watcher.job_progressed(job, {"ev": "step", "step": 3, "steps": 4, "what": "throughput"})
    watcher.job_ended(job, "ok", "")
    lines = watcher.console.file.getvalue().splitlines()[1:]
    assert lines[:2] == [f"{job.label}: latency", f"{job.label}: throughput"]
    assert len(lines) == 3


def test_a_stopped_trial_is_ended_and_no_measure_of_time(plan, empty, console):
    watcher = PlainWatcher(plan, empty, console)
    for job in plan.todo:
        watcher.job_ended(job, "stopped", "")
    assert watcher.estimate.seconds_left({}, 1) is None
    assert watcher.estimate.left == set()
    assert f"[1/10] {plan.todo[0].label} stopped in " in watcher.console.file.getvalue()


def test_json_lines_are_for_machines_and_peoples_lines_stay_apart(plan, empty, console):
    stream = io.StringIO()
    text = play(JsonWatcher(plan, empty, console, stream), plan)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["start", "progress", "progress", "end", "end", "end"]
    assert {event["job_id"] for event in events} == {plan.todo[0].id, plan.todo[1].id}
    assert events[-1]["state"] == "failed"
    assert events[2]["val_top1"] == 0.5
    assert "{" not in text


def test_the_live_display_shows_bars_and_leaves_only_lines_behind(plan, empty):
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    watcher = LiveWatcher(plan, empty, console)
    watcher.job_started(plan.todo[0], {"node": "n"})
    watcher.job_progressed(plan.todo[0], EPOCH)
    watcher.tick()
    shown = console.file.getvalue()
    assert "0/10 jobs" in shown
    assert plan.todo[0].label in shown
    assert "epoch 1/4" in shown
    watcher.job_ended(plan.todo[0], "ok", "")
    watcher.close()
    assert "[1/10]" in console.file.getvalue()


@pytest.mark.parametrize("width", [50, 80, 140])
def test_a_running_job_keeps_its_kind_and_seed_at_every_width(plan, empty, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    watcher = LiveWatcher(plan, empty, console)
    job = SimpleNamespace(id=plan.todo[0].id, label="ablation_without_large_kernels_and_ska/train/seed10")
    watcher.job_started(job, {"node": "n"})
    watcher.job_progressed(job, {**EPOCH, "images_per_s": 1234.0, "num_ranks": 8})
    watcher.tick()
    shown = console.file.getvalue()
    assert "/train/seed10 " in shown
    assert "epoch 1/4" in shown
    assert (
        max(map(cell_len, re.sub("\x1b[^A-Za-z]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()))
        <= width
    )
    watcher.job_ended(job, "failed", "the training loss is nan after 2 updates, at learning rate 2e+19; " * 3)
    watcher.close()
    lines = re.sub("\x1b[^A-Za-z]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(cell_len, lines)) <= width
    assert " ".join("\n".join(lines).split()).count("after 2 updates, at learning rate") == 3


@pytest.mark.parametrize(
    ("state", "share"),
    [
        ({}, 0.0),
        ({"ev": "epoch", "epoch": 1, "epochs": 4}, 0.25),
        ({"ev": "epoch", "epoch": 4, "epochs": 4}, 1.0),
        ({"step": 1, "steps": 4}, 0.25),
    ],
)
def test_the_share_done(state, share):
    assert share_done(state) == pytest.approx(share)


def test_the_share_done_never_falls_within_an_epoch():
    shares = []
    for epoch in (1, 2):
        state = {"epochs": 2, "steps": 3}
        shares += [share_done({**state, "ev": "step", "epoch": epoch, "step": step}) for step in (1, 2, 3)]
        shares.append(share_done({**state, "ev": "epoch", "epoch": epoch, "step": 3}))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_a_job_of_several_ranks_is_one_line_that_counts_them(plan, empty, console):
    watcher, job = PlainWatcher(plan, empty, console), plan.todo[0]
    watcher.job_started(job, {"ev": "start", "num_ranks": 2})
    watcher.job_progressed(job, EPOCH)
    assert "epoch 1/4, loss 1.250, val top-1 50.0 %, 2 ranks" in console.file.getvalue()
    assert describe({"num_ranks": 1}) == ""


def test_a_state_in_words():
    assert describe({}) == ""
    assert describe({"what": "latency", "images_per_s": 12.4}) == "latency, 12 images/s"


def test_a_running_job_tells_the_time_left_before_the_first_has_ended(plan, empty):
    estimate = TimeLeft(plan, empty)
    first = plan.todo[0]
    assert estimate.seconds_left({first.id: 0.01}, 1, {first.id: 1.0}) is None
    left = estimate.seconds_left({first.id: 0.5}, 1, {first.id: 10.0})
    rate = 10.0 / (0.5 * plan.graph.cost[first.label])
    total = sum(plan.graph.cost[job.label] for job in plan.todo)
    assert left == pytest.approx(rate * (total - 0.5 * plan.graph.cost[first.label]))


@pytest.mark.parametrize("watching", [PlainWatcher, LiveWatcher])
def test_a_warning_is_a_line_of_its_own_and_no_state(plan, empty, console, watching):
    job = plan.todo[0]
    watcher = watching(plan, empty, console)
    watcher.job_started(job, {})
    watcher.job_progressed(job, {"ev": "step", "step": 1, "steps": 2})
    watcher.job_progressed(job, {"ev": "warning", "message": "fog/3 is missing"})
    assert watcher.state[str(job.id)]["step"] == 1
    watcher.close()
    assert f"{job.label}: fog/3 is missing" in console.file.getvalue()
