import json
import random
from itertools import pairwise

import pytest

from lsbench.core.job import Job
from lsbench.scheduler import time_left
from lsbench.scheduler.ledger import Ledger
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.time_left import TimeLeft, share_done, this_machine
from lsbench.store.durations import DURATIONS, Remaining
from lsbench.store.results import ResultsFolder
from lsbench.suite.graph import critical_path
from lsbench.suite.planner import make_plan

STEP_S = 1.0


@pytest.fixture(autouse=True)
def always_new(monkeypatch):
    """Make a new estimate whenever it is asked for: the clock of these tests is not that of the machine."""
    monkeypatch.setattr(time_left, "REST", 0)


@pytest.fixture
def folder(tmp_path):
    found = ResultsFolder(tmp_path / "results" / "tiny" / "default")
    found.create()
    return found


@pytest.fixture
def profiles(tiny):
    """A suite of six profiles that time two things for at most 10 s each."""
    tiny["variants"] = [
        {"name": f"v{n}", "mixer": "ls_conv", "model_args": {"drop_path_rate": n / 10}} for n in range(6)
    ]
    tiny["jobs"] = [{"profile": {"batch_size": 2, "max_s": 10, "min_s": 0}}]
    return tiny


@pytest.fixture
def mixed(tiny):
    """A suite of trainings, evaluations and profiles, with real numbers of images."""
    tiny["defaults"]["dataset"] = {"name": "fashion", "train_images": 2000}
    tiny["variants"].append({"name": "inv", "mixer": "involution"})
    tiny["jobs"] = [{"train": {"epochs": 4}}, "evaluate", {"profile": {"batch_size": 16, "max_s": 10}}]
    return tiny


def plan_of(graph, done=()):
    return make_plan(graph, done=set(done), only=[], skip=[], seeds=None)


class Play:
    """A run on a clock of its own, in which each job takes the seconds that are written down."""

    def __init__(self, plan, folder, truth, report_s=1.0):
        nodes = [Node("a", 2)]
        self.plan, self.truth, self.report_s = plan, truth, report_s
        self.now = 0.0
        self.left = TimeLeft(plan, folder, nodes=nodes, clock=lambda: self.now)
        self.ledger, self.priority = Ledger(nodes), critical_path(plan.graph)
        self.waiting = {job.id: job for job in plan.todo}
        self.running, self.done = {}, {job.id for job in plan.done}
        self.moments = []

    def run(self):
        """Run to the end; return moments as (time, estimate, ids of running jobs) and when the last ended."""
        while self.waiting or self.running:
            self.start()
            self.moments.append((self.now, self.left.estimate(), set(self.running)))
            self.now += STEP_S
            for name in list(self.running):
                self.report(name)
        return self.moments, self.now

    def start(self):
        ready = [job for job in self.waiting.values() if set(job.needs.values()) <= self.done]
        wants_node = {job.id: self.ledger.request(job.resources).wants_node for job in ready}
        for job in sorted(ready, key=lambda job: (wants_node[job.id], -self.priority[job.id])):
            placement = self.ledger.place(self.ledger.request(job.resources))
            if placement is not None:
                del self.waiting[job.id]
                self.running[job.id] = [job, placement, self.now, self.now]
                self.left.started(job.id)

    def report(self, name):
        job, placement, started, reported = self.running[name]
        start_s, *parts = self.truth(job)
        worked = self.now - started - start_s
        if worked >= sum(parts):
            del self.running[name]
            self.ledger.release(placement)
            self.done.add(name)
            self.left.ended(name, "ok")
        elif worked >= 0 and (self.now - reported >= self.report_s or len(parts) > 1):
            self.running[name][3] = self.now
            self.left.progressed(name, self.state(job, worked, parts))

    def state(self, job, worked, parts):
        if len(parts) == 1:
            return {"ev": "step", "step": int(1000 * worked / parts[0]), "steps": 1000}
        declared = self.plan.graph.seconds[job.label]
        number = sum(worked >= sum(parts[: n + 1]) for n in range(len(parts)))
        lengths = [1.0, 1.0, (declared - 2) / 2, (declared - 2) / 2]
        return {"ev": "step", "share": sum(lengths[:number]) / declared, "part": lengths[number] / declared}


def share_within(moments, end):
    """Return the share of the moments after the first tenth that are right within 1.5 times or 10 s."""
    later = [(end - now, found.seconds) for now, found, _ in moments if now > end / 10]
    good = [
        seconds is not None and (abs(seconds - true) <= 10 or true / 1.5 <= seconds <= 1.5 * true)
        for true, seconds in later
    ]
    return sum(good) / len(good)


def noisy(graph, seed, *, pace=3e-9, slow=1.0):
    """Return the true seconds of jobs: start, then parts; different for each job, but always the same."""

    def truth(job: Job):
        chance = random.Random(f"{seed} {job.label}")
        vary = chance.uniform(0.75, 1.35)
        if job.kind == "profile":
            most = (graph.seconds[job.label] - 2) / 2
            return 1.5 * slow, 0.3, 0.7, *(most * min(1.2, slow * chance.uniform(0.5, 1.0)) for _ in range(2))
        return chance.uniform(0.5, 2.5) * slow, 2 + graph.cost[job.label] * pace * vary * slow

    return truth


@pytest.mark.parametrize(
    ("suite", "seed"), [*(("profiles", n) for n in range(4)), ("mixed", 0), ("mixed", 1)]
)
def test_it_is_right_at_nine_of_ten_moments_of_a_first_run_and_of_a_second(
    suite, seed, request, make_graph, folder
):
    graph = make_graph(request.getfixturevalue(suite))
    first = Play(plan_of(graph), folder, noisy(graph, seed)).run()
    assert share_within(*first) >= 0.9
    assert len((folder.root / DURATIONS).read_text().splitlines()) == len(graph.jobs)
    again = Play(plan_of(graph), folder, noisy(graph, seed + 100, slow=1.2)).run()
    assert again[0][0][1].unknown == ()
    assert share_within(*again) >= 0.9


@pytest.mark.parametrize("slow", [0.3, 1.0, 1.5])
def test_it_never_rises_while_a_profile_runs_and_is_never_nothing_while_jobs_wait(
    slow, profiles, make_graph, folder
):
    graph = make_graph(profiles)
    moments, _ = Play(plan_of(graph), folder, noisy(graph, 1, slow=slow)).run()
    same = [(before, after) for before, after in pairwise(moments) if before[2] == after[2] and after[2]]
    assert len(same) > 30
    for (_, before, _), (_, after, _) in same:
        assert after.seconds <= before.seconds + 1e-6
    waiting = [found.seconds for _, found, running in moments if running]
    assert min(waiting) >= 1


def test_exclusive_profiles_count_one_after_another_with_the_seconds_that_they_declare(
    profiles, make_graph, folder
):
    profiles["jobs"][0]["profile"] |= {"processes": 3, "probes": ["latency", "throughput"]}
    graph = make_graph(profiles)
    found = TimeLeft(plan_of(graph), folder, nodes=[Node("a", 8)]).estimate()
    assert found == Remaining(pytest.approx(6 * (2 * (10 + 3 * 4) + time_left.START_S)))
    assert found.text() == "about 4 min 30 s left"
    two = TimeLeft(plan_of(graph), folder, nodes=[Node("a", 8), Node("b", 8)]).estimate()
    assert two.seconds == pytest.approx(found.seconds / 2)


def test_a_limit_shortens_what_a_profile_declares(profiles, make_graph, folder):
    whole = TimeLeft(plan_of(make_graph(profiles)), folder).estimate().seconds
    limited = TimeLeft(plan_of(make_graph(profiles, limit=1)), folder).estimate().seconds
    assert limited < whole / 2


def test_what_is_unknown_is_said(mixed, make_graph, folder):
    graph = make_graph(mixed)
    left = TimeLeft(plan_of(graph), folder, nodes=[Node("a", 2)])
    found = left.estimate()
    assert found.unknown == ("evaluate", "train")
    assert found.text().startswith("more than ")
    assert found.text().endswith("unknown until the first evaluate and train jobs have run")
    mixed["jobs"] = mixed["jobs"][:1]
    found = TimeLeft(plan_of(make_graph(mixed)), folder).estimate()
    assert found.text() == "unknown until the first train job has run"


def test_a_running_job_tells_before_the_first_has_ended_and_its_start_is_no_part_of_its_pace(
    mixed, make_graph, folder
):
    clock = [0.0]
    mixed["jobs"] = mixed["jobs"][:1]
    graph = make_graph(mixed)
    left = TimeLeft(plan_of(graph), folder, nodes=[Node("a", 1)], clock=lambda: clock[0])
    first = graph.jobs[0]
    left.started(first.id)
    clock[0] = 60.0  # it compiled loops
    left.progressed(first.id, {"step": 0, "steps": 100})
    assert left.estimate().seconds is None
    clock[0] = 70.0
    left.progressed(first.id, {"step": 50, "steps": 100})
    work = sum(graph.cost[job.label] for job in graph.jobs[1:]) / graph.cost[first.label]
    expected = 10 + work * 20 + (len(graph.jobs) - 1) * time_left.START_S
    assert left.estimate().seconds == pytest.approx(expected)
    clock[0] = 74.0
    assert left.estimate().seconds == pytest.approx(expected - 4)


def test_a_wait_between_two_steps_is_no_part_of_the_pace(mixed, make_graph, folder):
    clock = [0.0]
    mixed["jobs"] = mixed["jobs"][:1]
    graph = make_graph(mixed)
    left = TimeLeft(plan_of(graph), folder, nodes=[Node("a", 1)], clock=lambda: clock[0])
    first = graph.jobs[0]
    left.started(first.id)
    left.progressed(first.id, {"step": 1, "steps": 20})
    left.waits(first.id)  # the second step compiles loops
    clock[0] = 60.0
    left.progressed(first.id, {"step": 2, "steps": 20})
    assert left.estimate().seconds is None
    clock[0] = 61.0
    left.progressed(first.id, {"step": 4, "steps": 20})
    work = sum(graph.cost[job.label] for job in graph.jobs[1:]) / graph.cost[first.label]
    assert left.estimate().seconds == pytest.approx(8 + work * 10 + (len(graph.jobs) - 1) * time_left.START_S)


def test_a_folder_of_an_earlier_lsbench_tells_by_its_journal(mixed, make_graph, fill_store, records_of):
    graph = make_graph(mixed)
    folder = fill_store(graph, lambda job: records_of(job) if job.label == "ls/train/seed0" else None)
    found = TimeLeft(plan_of(graph, [graph.jobs[0].id]), folder, nodes=[Node("a", 1)]).estimate()
    assert found.unknown == ()
    assert found.seconds > 2 * (len(graph.jobs) - 1) / 3


def test_damaged_durations_are_ignored(mixed, make_graph, folder):
    (folder.root / DURATIONS).write_text('{"keys": [\n[]\n{"host": 1}\nnothing\n')
    assert TimeLeft(plan_of(make_graph(mixed)), folder).estimate().unknown == ("evaluate", "train")


def test_only_durations_of_this_machine_count(mixed, make_graph, folder):
    mixed["seeds"] = [0]
    graph = make_graph(mixed)
    Play(plan_of(graph), folder, noisy(graph, 0)).run()
    path = folder.root / DURATIONS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**line, "host": "another"}) + "\n" for line in lines))
    assert TimeLeft(plan_of(graph), folder).estimate().unknown
    beside = ResultsFolder(folder.root.parent / "other")
    beside.create()
    (beside.root / DURATIONS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert not TimeLeft(plan_of(graph), folder).estimate().unknown


def test_jobs_whose_needs_have_failed_take_no_time(mixed, make_graph, folder):
    graph = make_graph(mixed)
    left = TimeLeft(plan_of(graph), folder)
    for job in graph.jobs:
        if job.kind != "evaluate":
            left.started(job.id)
            left.ended(job.id, "failed")
    assert left.estimate().seconds is None
    for job in graph.jobs:
        left.ended(job.id, "skipped")
    assert left.estimate() == Remaining(0.0)


def test_a_job_that_is_tried_again_waits_again(profiles, make_graph, folder):
    graph = make_graph(profiles)
    left = TimeLeft(plan_of(graph), folder)
    before = left.estimate().seconds
    left.started(graph.jobs[0].id)
    left.ended(graph.jobs[0].id, "retry")
    assert left.estimate().seconds == before


def test_an_estimate_is_not_made_anew_at_each_look(profiles, make_graph, folder, monkeypatch):
    monkeypatch.setattr(time_left, "REST", 1e9)
    clock = [0.0]
    left = TimeLeft(plan_of(make_graph(profiles)), folder, clock=lambda: clock[0])
    before = left.estimate().seconds
    monkeypatch.setattr(left, "_estimate", lambda now: pytest.fail("again"))
    clock[0] = 5.0
    assert left.estimate().seconds == pytest.approx(before - 5)
    clock[0] = 5000.0
    assert left.estimate().seconds == time_left.LEAST_S


def test_trials_that_may_be_stopped_early_count_less(tiny, make_graph, folder):
    from lsbench.search.book import TrialBook
    from lsbench.suite.trials import templates

    def seconds(algorithm, share):
        tiny["jobs"] = [{"train": {"epochs": 16, "validate_every": 1}}]
        tiny["search"] = {
            "space": {"lr": {"uniform": [0.1, 0.2]}},
            "metric": "val_top1",
            "budget": {"trials": 16},
            "algorithm": algorithm,
        }
        graph = make_graph(tiny)
        plan = TrialBook(folder, graph.suite.search, templates(graph, 0)).plan(graph, ["ls", "id"])
        clock = [0.0]
        left = TimeLeft(plan, folder, nodes=[Node("a", 1)], clock=lambda: clock[0])
        first = plan.todo[0]
        left.started(first.id)
        left.progressed(first.id, {"step": 0, "steps": 100})
        clock[0] = 100 * share
        left.progressed(first.id, {"step": int(100 * share), "steps": 100})
        left.ended(first.id, "stopped")
        return left.estimate().seconds

    halved = seconds({"name": "asha", "grace_epochs": 1, "reduction_factor": 4}, 1 / 16)
    whole = seconds({"name": "pbt"}, 1 / 2)
    assert halved < whole / 4


def test_this_machine_has_its_cpus():
    assert this_machine().num_cpus >= 1


@pytest.mark.parametrize(
    ("state", "share"),
    [
        ({}, 0.0),
        ({"ev": "epoch", "epoch": 1, "epochs": 4}, 0.25),
        ({"ev": "epoch", "epoch": 4, "epochs": 4}, 1.0),
        ({"step": 1, "steps": 4}, 0.25),
        ({"step": 1, "steps": 4, "share": 0.1}, 0.1),
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
