import itertools
import json
import shutil
from dataclasses import replace

import pytest

from lsbench.core.errors import ClusterError, ConfigError
from lsbench.core.job import Job
from lsbench.core.waits import told_to
from lsbench.scheduler.driver import Driver
from lsbench.scheduler.protocol import Event, Node
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan

NODES = [Node("a", 4), Node("b", 2, 1)]


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


@pytest.fixture
def start(graph, tmp_path, fake_executor, watcher):
    """Return what makes a driver on a fake executor: ends by label, nodes, done jobs and options."""

    counter = itertools.count()

    def create(ends=None, *, nodes=NODES, done=(), seed=0, only=(), graph=graph, can_grow=False, **options):
        folder = ResultsFolder(tmp_path / f"results{next(counter)}")
        folder.create()
        plan = make_plan(graph, done=set(done), only=list(only), skip=[], seeds=None)
        executor = fake_executor(nodes, ends, seed)
        executor.can_grow = can_grow
        return Driver(plan, folder, executor, watcher, **options)

    return create


def labels(jobs):
    return sorted(job.label for job in jobs)


def times(driver, what):
    """Return label -> position in the log of its last event of a kind."""
    return {label: place for place, (kind, label, _) in enumerate(driver.executor.log) if kind == what}


@pytest.mark.parametrize("seed", range(8))
def test_every_job_runs_once_after_what_it_needs(seed, start, graph):
    driver = start(seed=seed)
    outcome = driver.run()
    assert labels(outcome.ok) == labels(graph.jobs)
    assert sorted(driver.executor.submitted()) == labels(graph.jobs)
    begun, ended = times(driver, "submit"), times(driver, "end")
    for job in graph.jobs:
        if job.kind == "evaluate":
            assert ended[job.label.replace("evaluate", "train")] < begun[job.label]


@pytest.mark.parametrize("seed", range(4))
def test_exclusive_jobs_start_last_and_alone_on_their_node(seed, start):
    driver = start(nodes=[Node("a", 4)], seed=seed)
    driver.run()
    running = set()
    for what, label, _ in driver.executor.log:
        running = running | {label} if what == "submit" else running - {label}
        if any("profile" in name for name in running):
            assert len(running) == 1
    assert [label.split("/")[1] for label in driver.executor.submitted()[-2:]] == ["profile", "profile"]


def test_longer_chains_start_first(start):
    driver = start(max_parallel=1)
    driver.run()
    order = [label for label in driver.executor.submitted() if "train" in label]
    assert {label.split("/")[0] for label in order[:2]} == {"ls"}, "ls_conv costs more than identity"


def test_a_lost_node_gets_no_more_jobs_and_costs_no_retry(start, graph):
    label = "ls/train/seed0"
    nodes = [Node(name, 4) for name in "abcdef"]
    driver = start({label: ["node_lost"] * 4}, nodes=nodes)
    assert labels(driver.run().ok) == labels(graph.jobs)
    hosts = [p.node for what, name, p in driver.executor.log if (what, name) == ("submit", label)]
    assert len(hosts) == len(set(hosts)) == 5


def test_a_gang_is_placed_over_nodes_and_its_job_says_how_many_gpus_it_has(tiny, make_graph, start):
    tiny["jobs"][0]["train"]["resources"] = {"num_gpus": 2}
    driver = start(nodes=[Node("a", 2, 1), Node("b", 2, 1)], graph=make_graph(tiny))
    assert len(driver.run().ok) == 10
    gangs = [p for what, label, p in driver.executor.log if what == "submit" and "train" in label]
    assert [[part.num_ranks for part in gang.parts] for gang in gangs] == [[1, 1]] * 4
    specs = [json.loads(path.read_text()) for path in driver.folder.root.rglob("spec.json")]
    settled = [spec["resources"] for spec in specs if spec["kind"] == "train"]
    assert [(r["num_gpus"], r["num_ranks"]) for r in settled] == [(2, 2)] * 4


def test_all_nodes_that_a_gang_has_lost_are_closed(tiny, make_graph, start):
    tiny["jobs"][0]["train"]["resources"] = {"num_gpus": 2}
    driver = start(nodes=[Node("a", 2, 1), Node("b", 2, 1)], graph=make_graph(tiny))
    driver._start_what_fits()
    [name] = driver.running
    end = {"ok": False, "error_class": "node_lost", "message": "", "lost_nodes": ["b"]}
    driver._handle(Event(name, "end", end))
    assert driver.ledger.node_ids() == {"a"}
    assert name in driver.waiting


def test_no_more_than_the_allowed_number_run_at_a_time(start):
    for most in (1, 2):
        driver = start(nodes=[Node("a", 4)], max_parallel=most)
        driver.run()
        assert driver.executor.most_running == most


def test_a_finished_job_is_recorded_with_its_attempt(start, graph):
    driver = start()
    driver.run()
    job = graph.jobs[0]
    assert driver.folder.jobs()[job.id]["status"] == "ok"
    assert driver.folder.jobs()[job.id]["attempts"] == 1
    assert driver.folder.attempts(job.id) == [], "its result tells that it is done"
    metrics = {record["metric"] for record in driver.folder.records()}
    assert metrics == {"train_loss", "top1", "top5", "params", "macs", "latency_ms"}


def test_a_lost_worker_is_tried_again(start, watcher, graph):
    label = "ls/train/seed0"
    driver = start({label: ["worker_lost", "timeout"]})
    outcome = driver.run()
    assert labels(outcome.ok) == labels(graph.jobs)
    assert driver.executor.submitted().count(label) == 3
    job = next(job for job in graph.jobs if job.label == label)
    assert [a["status"] for a in driver.folder.attempts(job.id)] == ["failed", "failed"]
    assert driver.folder.jobs()[job.id]["attempts"] == 3
    assert [state for name, state, _ in watcher.ended if name == label] == ["retry", "retry", "ok"]


def test_retries_end(start, graph):
    driver = start({"ls/train/seed0": ["timeout"] * 5})
    outcome = driver.run()
    assert labels(outcome.failed) == ["ls/train/seed0"]
    assert driver.executor.submitted().count("ls/train/seed0") == 3
    line = driver.folder.jobs()[outcome.failed[0].id]
    assert (line["status"], line["attempts"]) == ("failed", 3)
    assert line["error"] == "timeout: as written down"


def test_a_failed_job_skips_what_needs_it_and_nothing_else(start, graph, watcher):
    driver = start({"ls/train/seed0": ["ValueError"]})
    outcome = driver.run()
    assert labels(outcome.failed) == ["ls/train/seed0"]
    assert labels(outcome.skipped) == ["ls/evaluate/seed0"]
    assert len(outcome.ok) == 8
    told = {name: (state, why) for name, state, why in watcher.ended}
    assert told["ls/evaluate/seed0"] == ("skipped", "needs train, which did not finish")
    assert told["ls/train/seed0"][1].startswith("ValueError: as written down (log: ")
    assert outcome.skipped[0].id not in driver.folder.jobs()


def test_fail_fast_starts_nothing_more(start, watcher):
    driver = start({"ls/train/seed0": ["ValueError"]}, max_parallel=1, fail_fast=True)
    outcome = driver.run()
    submitted = driver.executor.submitted()
    assert submitted[-1] == "ls/train/seed0"
    assert len(outcome.skipped) == 10 - len(submitted)
    assert {why for _, state, why in watcher.ended if state == "skipped"} == {"stopped by --fail-fast"}


def test_without_memory_a_job_is_tried_once_more_alone_on_a_node(start):
    label = "ls/train/seed0"
    driver = start({label: ["oom"]}, nodes=[Node("a", 4)])
    driver.run()
    first, second = [p for what, name, p in driver.executor.log if (what, name) == ("submit", label)]
    assert (first.num_cpus, second.num_cpus) == (1, 4)
    running = set()
    retry = len(driver.executor.log)
    for place, (what, name, placement) in enumerate(driver.executor.log):
        running = running | {name} if what == "submit" else running - {name}
        retry = place if placement is second and what == "submit" else retry
        if label in running and place >= retry:
            assert running == {label}
    assert len(start({label: ["oom", "oom"]}).run().failed) == 1


def test_a_result_on_disk_means_done_whatever_the_executor_says(start, graph, monkeypatch):
    driver = start()
    submit = driver.executor.submit

    def finish_then_die(job_id, folder, spec, placement, timeout_s):
        submit(job_id, folder, spec, placement, timeout_s)
        job = next(job for job in graph.jobs if job.id == job_id)
        line = {"job_id": job_id, "status": "ok", "kind": job.kind, "label": job.label}
        (folder / "result.json").write_text(json.dumps({"job": line, "records": []}))
        driver.executor.ends[job.label] = ["worker_lost"]

    monkeypatch.setattr(driver.executor, "submit", finish_then_die)
    outcome = driver.run()
    assert len(outcome.ok) == 10
    assert not outcome.failed


def test_an_end_without_a_result_is_a_lost_worker(start, graph, monkeypatch):
    driver = start(only=["ls/train/seed0"])
    poll = driver.executor.poll

    def poll_and_lose(timeout_s):
        events = poll(timeout_s)
        for event in events:
            (driver.folder.job_folder(event.job_id) / "result.json").unlink(missing_ok=True)
        return events

    monkeypatch.setattr(driver.executor, "poll", poll_and_lose)
    outcome = driver.run()
    assert labels(outcome.failed) == ["ls/train/seed0"]
    [line] = driver.folder.jobs().values()
    assert line["error"] == "worker_lost: the job ended without a result"


def test_a_job_that_is_lost_before_it_writes_anything_keeps_its_settings(start, monkeypatch):
    driver = start({"ls/train/seed0": ["worker_lost"] * 9}, only=["ls/train/seed0"])
    submit = driver.executor.submit

    def lose(job_id, folder, *words):
        submit(job_id, folder, *words)
        shutil.rmtree(folder)

    monkeypatch.setattr(driver.executor, "submit", lose)
    [job] = driver.run().failed
    assert Job.model_validate_json((driver.folder.job_folder(job.id) / "spec.json").read_text()) == job


def test_done_jobs_are_not_run_again_and_free_what_waits_for_them(start, graph):
    trains = {job.id for job in graph.jobs if job.kind == "train"}
    driver = start(done=trains)
    outcome = driver.run()
    assert {job.kind for job in outcome.ok} == {"evaluate", "profile"}
    assert len(outcome.ok) == 6


def test_the_spec_on_disk_holds_the_settled_devices(start, graph):
    for nodes, expected in (([Node("a", 4)], 0.0), ([Node("a", 4, 2)], 1.0)):
        driver = start(nodes=nodes, only=["ls/profile"])
        driver.run()
        spec = json.loads((driver.folder.job_folder(driver.outcome.ok[0].id) / "spec.json").read_text())
        assert spec["resources"]["num_gpus"] == expected


def test_a_job_that_fits_nowhere_stops_the_run_before_it_starts(start, tiny, make_graph):
    with pytest.raises(ClusterError, match="requests 1 CPU"):
        start(nodes=[])


@pytest.mark.parametrize(("gpus", "wants"), [("auto", True), (0, False)])
def test_checks_try_gpus_also_when_the_first_of_them_come_later(tiny, make_graph, start, gpus, wants):
    tiny["resources"] = {"num_gpus": gpus}
    driver, asked = start(nodes=[Node("a", 4)], graph=make_graph(tiny)), []
    driver.executor.preflight = lambda variants, results, needs, data: asked.append(needs.wants_gpus)
    driver.preflight()
    assert asked == [wants]


def test_preflight_raises_every_problem(start):
    driver = start()
    driver.preflight()
    driver.executor.problems = ["variant 'ls': one", "variant 'id': two"]
    with pytest.raises(ConfigError) as caught:
        driver.preflight()
    assert caught.value.problems == ["variant 'ls': one", "variant 'id': two"]


def test_a_node_that_leaves_gets_no_more_jobs(start, monkeypatch):
    monkeypatch.setattr("lsbench.scheduler.driver.NODES_EVERY_S", 0.0)
    driver = start(nodes=[Node("a", 1), Node("b", 1)])
    driver.executor._nodes = [Node("a", 1)]
    driver._refresh_nodes()
    assert driver.ledger.node_ids() == {"a"}
    assert len(driver.run().ok) == 10
    assert {placement.node for _, _, placement in driver.executor.log} == {"a"}


def test_without_any_node_the_rest_is_skipped(start, monkeypatch, watcher):
    monkeypatch.setattr("lsbench.scheduler.driver.NODES_EVERY_S", 0.0)
    driver = start(nodes=[Node("a", 1)])
    driver.executor._nodes = []
    outcome = driver.run()
    assert len(outcome.ok) == 1
    assert len(outcome.skipped) == 9
    assert any(why == "no node is left for it" for _, _, why in watcher.ended)


def test_a_late_word_of_an_ended_job_is_passed_over(start):
    driver = start()
    driver._handle(Event("train-that-ended", "progress", {"ev": "step"}))
    assert driver.run().failed == []


NASTY = ["\udcff", b"b\xfcgel.png".decode(errors="surrogateescape"), "x" * 2**20, "\0\x1b[2J", "\u2028", ""]


@pytest.mark.parametrize("message", NASTY, ids=["lone", "file", "long", "commands", "line", "none"])
def test_no_message_of_a_job_ends_the_driver_now_or_at_the_next_run(start, graph, message, monkeypatch):
    label = next(job.label for job in graph.jobs if job.kind == "profile")

    def with_message(event):
        return (
            replace(event, data={**event.data, "message": message})
            if not event.data.get("ok", True)
            else event
        )

    driver = start({label: ["ValueError"] * 2})
    poll = driver.executor.poll
    monkeypatch.setattr(driver.executor, "poll", lambda timeout_s: [with_message(e) for e in poll(timeout_s)])
    outcome = driver.run()
    assert labels(outcome.failed) == [label]
    assert len(outcome.ok) == len(graph.jobs) - 1
    folder = driver.folder
    journal = (folder.root / "jobs.jsonl").read_text(encoding="utf-8")
    assert max(map(len, journal.splitlines())) < 10_000
    [failed] = [line for line in ResultsFolder(folder.root).jobs().values() if line["status"] == "failed"]
    [attempt] = folder.attempts(failed["job_id"])
    assert attempt["message"] == failed["error"]
    assert failed["error"].isprintable()


def placements(driver, label):
    return [p for what, name, p in driver.executor.log if (what, name) == ("submit", label)]


def test_a_job_whose_device_fails_runs_on_another_one_and_the_device_comes_back(tiny, make_graph, start):
    tiny["resources"] = {"num_gpus": 1}
    driver = start({"ls/train/seed0": ["device_error"]}, nodes=[Node("a", 8, 2)], graph=make_graph(tiny))
    assert len(driver.run().ok) == 10
    first, second = placements(driver, "ls/train/seed0")
    assert not set(first.gpus) & set(second.gpus)
    assert driver.executor.held == []


def test_the_only_device_is_used_again_after_one_fault_and_not_after_two(tiny, make_graph, start, watcher):
    tiny["resources"] = {"num_gpus": 1}
    graph = make_graph(tiny)
    driver = start({"ls/train/seed0": ["device_error"]}, nodes=[Node("a", 8, 1)], graph=graph)
    assert len(driver.run().ok) == 10
    driver = start({"ls/train/seed0": ["device_error"] * 2}, nodes=[Node("a", 8, 1)], graph=graph)
    outcome = driver.run()
    assert "ls/train/seed0" in labels(outcome.skipped)
    assert len(placements(driver, "ls/train/seed0")) == 2


def test_a_node_that_does_not_show_its_devices_gets_no_more_jobs(tiny, make_graph, start):
    tiny["resources"] = {"num_gpus": 1}
    nodes, heard = [Node("a", 8, 1, "host-a"), Node("b", 8, 1, "host-b")], []
    driver = start({"ls/train/seed0": ["device_lost"]}, nodes=nodes, graph=make_graph(tiny))
    with told_to(heard.append):
        assert len(driver.run().ok) == 10
    first, second = placements(driver, "ls/train/seed0")
    assert heard == [f"node host-{first.node} does not show its GPUs and gets no more jobs of this run"]
    assert first.node != second.node
    assert driver.ledger.node_ids() == {second.node}


def test_memory_of_a_whole_device_ends_a_job_and_of_a_share_gives_it_a_whole_one(tiny, make_graph, start):
    tiny["jobs"][0]["train"]["resources"] = {"num_gpus": 0.25}
    graph, nodes = make_graph(tiny), [Node("a", 8, 1)]
    driver = start({"ls/train/seed0": ["share_oom"]}, nodes=nodes, graph=graph)
    assert len(driver.run().ok) == 10
    assert [p.gpu_share for p in placements(driver, "ls/train/seed0")] == [0.25, 1.0]
    driver = start({"ls/train/seed0": ["device_oom"]}, nodes=nodes, graph=graph)
    assert labels(driver.run().failed) == ["ls/train/seed0"]
    assert len(placements(driver, "ls/train/seed0")) == 1


@pytest.fixture
def quick(monkeypatch):
    """Look for nodes at every turn, and wait for none."""
    monkeypatch.setattr("lsbench.scheduler.driver.NODES_EVERY_S", 0.0)
    monkeypatch.setattr("lsbench.scheduler.node_wait.POLL_S", 0.0)


def coming(driver, later, after):
    """Let the cluster have other nodes after some looks."""
    looks = itertools.count()
    before = driver.executor._nodes
    driver.executor.nodes = lambda: later if next(looks) >= after else before


def test_when_the_last_node_is_lost_jobs_wait_for_the_next(start, quick):
    driver = start(nodes=[Node("a", 1)], can_grow=True)
    driver.executor._nodes = []
    coming(driver, [Node("b", 1)], after=30)
    outcome = driver.run()
    assert (len(outcome.ok), outcome.skipped) == (10, [])
    assert {placement.node for _, _, placement in driver.executor.log} == {"a", "b"}


def test_a_bounded_wait_skips_what_is_left_and_says_so(start, quick, watcher):
    driver = start(nodes=[Node("a", 1)], wait_for_nodes_s=0.05, can_grow=True)
    driver.executor._nodes = []
    outcome = driver.run()
    assert (len(outcome.ok), len(outcome.skipped)) == (1, 9)
    whys = {why for _, state, why in watcher.ended if state == "skipped"}
    assert "no node for it was free within 0.1 s (--wait-for-nodes)" in whys


def test_a_cluster_without_nodes_is_told_what_is_needed_and_waited_for(start, quick):
    driver = start(nodes=[], can_grow=True)
    coming(driver, [Node("a", 2)], after=3)
    assert len(driver.run().ok) == 10
    assert driver.executor.asked_for[0] == [{"CPU": 1}] * 6, "four trainings and two profiles"
    assert driver.executor.asked_for[-1] == []


def test_a_node_where_a_job_was_asked_to_stop_gets_no_more_until_it_stays(start, quick):
    label = "ls/train/seed0"
    driver = start({label: ["preempted"] * 3}, nodes=[Node("a", 1), Node("b", 1)])
    driver.executor.nodes = lambda: [Node("a", 1, is_leaving=True), Node("b", 1)]
    assert len(driver.run().ok) == 10
    hosts = [p.node for what, _, p in driver.executor.log if what == "submit"]
    assert set(hosts[2:]) == {"b"}
    assert driver.executor.submitted().count(label) == 4, "it used up none of its two retries"


def test_nothing_starts_where_others_are(start, quick):
    busy = [Node("a", 4, 1, others=(4.0, 0.0)), Node("b", 4, 1, others=(0.0, 1.0)), Node("c", 4, 1)]
    driver = start(nodes=busy)
    driver.run()
    assert {placement.node for _, _, placement in driver.executor.log} == {"c"}


def test_jobs_are_looked_for_after_an_end_only(start):
    driver = start(nodes=[Node("a", 1)])
    driver._start_what_fits()
    [name] = driver.running
    before = driver.queue.passes
    for event in ("start", "progress", "progress"):
        driver._handle(Event(name, event, {"node": "a", "ev": "step"}))
        driver._start_what_fits()
    assert driver.queue.passes == before
    driver._handle(Event(name, "end", {"ok": False, "error_class": "ValueError", "message": ""}))
    driver._start_what_fits()
    assert driver.queue.passes == before + 1


def test_a_node_that_joins_gets_jobs_at_once(start, monkeypatch):
    monkeypatch.setattr("lsbench.scheduler.driver.NODES_EVERY_S", 0)
    driver = start(nodes=[Node("a", 1)])
    driver._start_what_fits()
    driver.executor._nodes = [Node("a", 1), Node("b", 1)]
    driver._refresh_nodes()
    driver._start_what_fits()
    assert len(driver.running) == 2


def test_the_work_for_a_job_does_not_grow_with_their_number(tiny, make_graph, start, count_calls):
    def calls(number):
        driver = start(graph=make_graph({**tiny, "seeds": [*range(number)]}), nodes=[Node("a", 4)])
        driver.executor.running = AnyOrder()
        return count_calls(driver.run) / len(driver.outcome.ok)

    assert calls(9) <= 1.15 * calls(3)


class AnyOrder(dict):
    """Running jobs, of which a fake executor looks at a few only: its own work must not grow."""

    def __iter__(self):
        return iter(list(self.keys())[:4])


def test_jobs_that_end_together_are_written_together_even_if_one_ends_the_run(start, monkeypatch):
    driver = start(nodes=[Node("a", 4)])
    driver._start_what_fits()
    names, written = list(driver.running), []
    monkeypatch.setattr(driver.folder, "add_jobs", lambda ended: written.append(list(ended)))
    end = {"ok": False, "error_class": "ValueError", "message": ""}

    def events():
        yield from (Event(name, "end", end) for name in names[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driver._take(events())
    assert [[line["job_id"] for line, _ in batch] for batch in written] == [names[:3]]
