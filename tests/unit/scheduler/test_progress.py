import io
import json
import re
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from lsbench.scheduler import time_left
from lsbench.scheduler.progress import JsonWatcher, LiveWatcher, PlainWatcher, describe
from lsbench.store.durations import Remaining, read_time_left
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan


@pytest.fixture
def plan(tiny, make_graph):
    return make_plan(make_graph(tiny), done=set(), only=[], skip=[], seeds=None)


@pytest.fixture
def empty(tmp_path):
    return ResultsFolder(tmp_path / "results" / "tiny" / "default")


@pytest.fixture(autouse=True)
def always_new(monkeypatch):
    """Estimate the time left whenever it is asked for, not only when that costs little."""
    monkeypatch.setattr(time_left, "REST", 0)


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200, highlight=False)


EPOCH = {"ev": "epoch", "epoch": 1, "epochs": 4, "loss": 1.25, "val_top1": 0.5}


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
    assert lines[2].startswith("0 of 10 jobs ended, time left: ")
    assert lines[3] == f"[0/10] {plan.todo[0].label} retry: timeout: too long"
    assert lines[4].startswith(f"[1/10] {plan.todo[0].label} ok in ")
    assert lines[4].endswith(" s: top-1 75.17 %")
    assert lines[5] == f"[2/10] {plan.todo[1].label} failed: ValueError: bad [x]"
    assert len(lines) == 6


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
    lines = [line for line in watcher.console.file.getvalue().splitlines() if job.label in line]
    assert lines[:2] == [f"{job.label}: latency", f"{job.label}: throughput"]
    assert len(lines) == 3


def test_a_stopped_trial_is_ended_and_no_measure_of_time(plan, empty, console):
    watcher = PlainWatcher(plan, empty, console)
    for job in plan.todo:
        watcher.job_ended(job, "stopped", "")
    assert watcher.time_left.estimate() == Remaining(0.0)
    assert f"[1/10] {plan.todo[0].label} stopped in " in watcher.console.file.getvalue()


def test_json_lines_are_for_machines_and_peoples_lines_stay_apart(plan, empty, console):
    stream = io.StringIO()
    text = play(JsonWatcher(plan, empty, console, stream), plan)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["start", *2 * ["progress"], "time_left", *3 * ["end"]]
    told = events.pop(3)
    assert told["seconds"] > 0
    assert told["unknown_of"] == ["evaluate", "train"]
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


def test_a_job_of_several_ranks_is_one_line_that_counts_them(plan, empty, console):
    watcher, job = PlainWatcher(plan, empty, console), plan.todo[0]
    watcher.job_started(job, {"ev": "start", "num_ranks": 2})
    watcher.job_progressed(job, EPOCH)
    assert "epoch 1/4, loss 1.250, val top-1 50.0 %, 2 ranks" in console.file.getvalue()
    assert describe({"num_ranks": 1}) == ""


def test_a_state_in_words():
    assert describe({}) == ""
    assert describe({"what": "latency", "images_per_s": 12.4}) == "latency, 12 images/s"


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


@pytest.mark.parametrize("watching", [PlainWatcher, LiveWatcher])
def test_a_wait_is_a_line_at_once_and_no_state(plan, empty, console, watching):
    job = plan.todo[0]
    watcher = watching(plan, empty, console)
    watcher.job_started(job, {})
    watcher.job_progressed(job, {"ev": "wait", "what": "writing the images of fashion"})
    watcher.job_progressed(job, {"ev": "wait", "what": "writing the images of fashion"})
    assert "what" not in watcher.state[str(job.id)]
    watcher.close()
    assert console.file.getvalue().count(f"{job.label}: writing the images of fashion ...\n") == 1


class Fixed:
    """A time left that a test sets."""

    found = Remaining(None, ("train",))

    def estimate(self):
        return self.found


def test_a_log_tells_the_time_left_when_more_is_known_and_each_minute(plan, empty, console, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("lsbench.scheduler.progress.time.monotonic", lambda: clock[0])
    watcher, job = PlainWatcher(plan, empty, console), plan.todo[0]
    watcher.job_started(job, {})
    watcher.time_left = Fixed()
    told = []
    for now, found in [
        (0, Fixed.found),
        (20, Fixed.found),
        (30, Remaining(90.0)),
        (50, Remaining(70.0)),
        (91, Remaining(29.0)),
        (7000, Remaining(49.5 * 7200.0)),
        (7500, Remaining(49 * 7200.0)),
    ]:
        clock[0], watcher.time_left.found = now, found
        watcher.tick()
        lines = console.file.getvalue().splitlines()
        told += [(now, lines[-1])] if len(told) < len(lines) - 1 else []
    assert [now for now, _ in told] == [0, 30, 91, 7500]
    assert [line.removeprefix("0 of 10 jobs ended, time left: ") for _, line in told] == [
        "unknown until the first train job has run",
        "about 1 min 30 s",
        "about 29 s",
        "about 98 h 00 min",
    ]


def test_the_live_display_tells_hours_and_what_is_unknown(plan, empty):
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    watcher = LiveWatcher(plan, empty, console)
    watcher.time_left = Fixed()
    watcher.tick()
    assert "time left: unknown until the first train job has run" in console.file.getvalue()
    watcher.time_left.found, watcher._drawn = Remaining(4333.0), 0.0
    watcher.tick()
    watcher.close()
    assert "about 1 h 12 min left" in console.file.getvalue()


@pytest.mark.parametrize("watching", [PlainWatcher, LiveWatcher])
def test_others_can_read_the_time_left_while_the_run_goes_on(plan, empty, console, watching):
    empty.create()
    watcher = watching(plan, empty, console)
    assert read_time_left(empty).unknown == ("evaluate", "train"), "while the models are checked"
    watcher.time_left, watcher._kept_at = Fixed(), 0.0
    watcher.tick()
    assert read_time_left(empty) == Fixed.found
    watcher.close()
    assert read_time_left(empty) is None


def test_of_many_running_jobs_the_display_shows_what_there_is_room_for(tiny, make_graph, empty, count_calls):
    plan = make_plan(make_graph({**tiny, "seeds": [*range(60)]}), done=set(), only=[], skip=[], seeds=None)
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True)
    watcher = LiveWatcher(plan, empty, console)
    watcher.live.stop()
    for number, job in enumerate(plan.todo[:120]):
        watcher.job_started(job, {})
        watcher.job_progressed(job, {"ev": "step", "step": 1, "steps": 9, "what": f"part {number}"})
    with console.capture() as shown:
        console.print(watcher._render())
    lines = shown.get().rstrip().splitlines()
    assert len(lines) <= console.height
    assert "and 104 more" in lines[-1]
    assert sum("part" in line for line in lines) == 16
    watcher.close()


def test_the_work_for_an_event_does_not_grow_with_the_running_jobs(
    tiny, make_graph, empty, console, count_calls, monkeypatch
):
    monkeypatch.setattr("lsbench.scheduler.progress.SILENT_S", 1e9)
    plan = make_plan(make_graph({**tiny, "seeds": [*range(30)]}), done=set(), only=[], skip=[], seeds=None)
    watcher, calls = PlainWatcher(plan, empty, console), []
    for number, job in enumerate(plan.todo[:60]):
        watcher.job_started(job, {})
        event = {"ev": "step", "step": 1, "steps": 9, "what": f"part {number}"}
        calls.append(count_calls(lambda job=job, event=event: watcher.job_progressed(job, event)))
    assert max(calls[10:]) <= 1.2 * max(calls[:10])
