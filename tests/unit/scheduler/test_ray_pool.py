"""What can be told of the Ray executor without Ray; the rest is in tests/integration."""

import socket
import sys
from types import SimpleNamespace

import pytest

from lsbench.core.errors import ClusterError
from lsbench.core.waits import told_to
from lsbench.scheduler import ray_life, ray_pool
from lsbench.scheduler.gang import RunningGang
from lsbench.scheduler.protocol import Node, NodeNeeds, Placement
from lsbench.scheduler.ray_pool import RayExecutor
from lsbench.scheduler.ray_preflight import LostCheckError


def test_closing_what_never_started_does_nothing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    RayExecutor().close()


def test_while_the_head_does_not_answer_the_nodes_are_those_that_were():
    """Ray is not asked: it would block for a minute, and then end the process."""
    executor, nodes = RayExecutor(), [Node("a", 4)]
    executor.life._head, executor._nodes = SimpleNamespace(answers=lambda: False, is_gone=True), nodes
    assert executor.nodes() == nodes


def test_on_a_cluster_a_node_that_joins_after_the_check_waits_for_its_own(monkeypatch, tmp_path):
    there, began = [Node("a", 4)], []
    executor = RayExecutor("auto")
    monkeypatch.setattr(executor._cluster, "nodes", lambda ours: list(there))
    monkeypatch.setattr(executor, "_share", lambda results: SimpleNamespace(place={}))
    monkeypatch.setattr(executor, "_start_probe", lambda node, place: began.append(node.id))
    monkeypatch.setattr(executor, "_start_check", lambda node, request, gpus: node.id)
    monkeypatch.setattr(ray_pool, "check_results", lambda *words: ([], []))
    monkeypatch.setattr(ray_pool, "run_checks", lambda *words, data: [])
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(wait=lambda streams, timeout: ([], streams)))
    assert executor.preflight([], tmp_path, NodeNeeds(wants_gpus=True)) == []
    there.append(Node("b", 4, 2))
    assert executor.nodes() == there[:1]
    assert began == ["b"]
    assert executor._ours() == {"b": (0.0, 2.0)}


def test_each_wait_of_a_run_is_told_before_it_begins(monkeypatch):
    """Starting, checking and ending take seconds, and jobs that run must first be stopped."""
    heard = []
    ray = SimpleNamespace(is_initialized=lambda: False, shutdown=lambda: heard.append("- ended"))
    for name in ("end_processes", "stop_servers", "remove_session_folders"):
        monkeypatch.setattr(ray_life, name, lambda *_: None)
    monkeypatch.setattr(ray_life, "ray_children", list)

    def refuse(address):
        heard.append("- asked")
        raise ClusterError("nobody")

    monkeypatch.setattr(ray_life, "check_reachable", refuse)
    with told_to(heard.append):
        for address in (None, "head:1"):
            with pytest.raises(ClusterError, match="nobody"):
                RayExecutor(address).start()
    assert heard == ["starting Ray on this machine", "- asked", "joining Ray at head:1", "- asked"]
    heard.clear()
    monkeypatch.setitem(sys.modules, "ray", ray)
    for running in ({}, {"stream": ("a", 0)}, {"stream": ("a", 0), "more": ("a", 1), "other": ("b", 0)}):
        with told_to(heard.append):
            executor = RayExecutor()
            executor._running = running
            executor.close()
    assert heard[::2] == [
        "ending Ray",
        "stopping 1 running job and ending Ray",
        "stopping 2 running jobs and ending Ray",
    ]
    assert set(heard[1::2]) == {"- ended"}


@pytest.fixture
def local(monkeypatch):
    """A local Ray whose head or node has ended and that can be started again."""
    executor, log = RayExecutor(), []
    state = {"alive": True}
    ray = SimpleNamespace(shutdown=lambda: log.append("shutdown"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_life, "are_alive", lambda processes: state["alive"])
    monkeypatch.setattr(ray_life, "kill_processes", lambda processes: log.append("killed"))
    monkeypatch.setattr(ray_life, "stop_servers", lambda token: log.append(f"servers of {token}"))
    monkeypatch.setattr(ray_life, "remove_session_folders", lambda: log.append("folders"))

    def start():
        log.append(f"started {executor.token}")
        state["alive"] = True

    monkeypatch.setattr(executor, "start", start)
    return SimpleNamespace(executor=executor, log=log, state=state)


def test_a_local_ray_that_has_ended_is_started_again_and_its_jobs_are_lost_with_the_node(local):
    executor, before = local.executor, local.executor.token
    jobs = [
        RunningGang("j", Placement("a", 1)),
        RunningGang("k", Placement("a", 1, further=(Placement("b", 1),))),
    ]
    executor._running = {"s": (jobs[0], 0), "t": (jobs[1], 0), "u": (jobs[1], 1)}
    local.state["alive"] = False
    events = {event.job_id: event for event in executor.poll(0.0)}
    assert {name: (e.kind, e.data["error_class"], e.data["lost_nodes"]) for name, e in events.items()} == {
        "j": ("end", "node_lost", ["a"]),
        "k": ("end", "node_lost", ["a", "b"]),
    }
    assert local.log == ["killed", "shutdown", f"servers of {before}", "folders", f"started {executor.token}"]
    assert executor.token != before
    assert executor.poll(0.0) == []


def test_a_local_ray_without_its_node_is_started_again_before_its_nodes_are_told(local, monkeypatch):
    """Else the driver finds no node left, and skips all jobs."""
    executor = local.executor
    monkeypatch.setattr(ray_life, "kill_processes", lambda processes: local.state.update(alive=False))
    executor._corrected({"error_class": "node_lost"}, RunningGang("j", Placement("a", 1)), "a")
    monkeypatch.setattr(executor._cluster, "nodes", lambda ours: [Node("new", 4)])
    assert [node.id for node in executor.nodes()] == ["new"]
    assert f"started {executor.token}" in local.log


def test_a_local_ray_that_ends_again_ends_the_run(local):
    local.state["alive"] = False
    local.executor.poll(0.0)
    local.state["alive"] = False
    with pytest.raises(ClusterError, match=r"has ended twice .*; finished jobs are kept"):
        local.executor.poll(0.0)
    assert [line for line in local.log if line.startswith("started")] == local.log[-1:]


def test_a_check_that_is_lost_is_made_again_and_not_for_ever(local, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_pool, "RETRY_S", 0.0)
    monkeypatch.setattr(local.executor, "nodes", lambda: [Node("a", 1)])
    monkeypatch.setattr(ray_pool, "check_results", lambda *words: ([], []))
    outcomes = [LostCheckError("the worker died"), LostCheckError("the head died"), ["variant 'v': bad"]]

    def run_checks(*words, data=()):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(ray_pool, "run_checks", run_checks)
    heard = []
    with told_to(heard.append):
        assert local.executor.preflight([], tmp_path, NodeNeeds()) == ["variant 'v': bad"]
    assert "the check before the run was lost: the worker died; checking again" in heard
    outcomes += [LostCheckError("gone")] * ray_pool.TRIES
    found = local.executor.preflight([], tmp_path, NodeNeeds())
    assert found == ["the nodes and models cannot be checked: gone"]


def test_a_check_whose_ray_ends_is_lost_and_made_on_the_new_one(local, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_pool, "RETRY_S", 0.0)
    monkeypatch.setattr(local.executor, "nodes", lambda: [Node("a", 1)])
    monkeypatch.setattr(ray_pool, "check_results", lambda *words: ([], []))
    ends = [True, False]

    def run_checks(nodes, variants, needs, start, still_there, *, data=()):
        local.state["alive"] = not ends.pop(0)
        still_there()
        return []

    monkeypatch.setattr(ray_pool, "run_checks", run_checks)
    assert local.executor.preflight([], tmp_path, NodeNeeds()) == []
    assert len([line for line in local.log if line.startswith("started")]) == 1


def test_without_any_node_the_check_is_made_again_later(local, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_pool, "RETRY_S", 0.0)
    monkeypatch.setattr(local.executor, "nodes", list)
    found = local.executor.preflight([], tmp_path, NodeNeeds())
    assert found == ["the nodes and models cannot be checked: no node is alive"]


@pytest.mark.parametrize(
    ("address", "has_ended", "error_class"),
    [
        ("auto", True, "node_lost"),
        ("auto", False, "worker_lost"),
        (None, True, "node_lost"),
        ("ray://head:1", True, "worker_lost"),
    ],
)
@pytest.mark.parametrize("says_so", [False, True])
def test_a_worker_whose_node_has_ended_is_lost_with_the_node(
    monkeypatch, address, has_ended, error_class, says_so
):
    """Ray tells the loss of a worker seconds before that of its node; or the worker tells its child's."""

    class WorkerCrashedError(Exception):
        pass

    def get(value):
        if says_so:
            return value
        raise WorkerCrashedError

    kinds = (
        "NodeDiedError",
        "TaskUnschedulableError",
        "OutOfMemoryError",
        "RayTaskError",
        "TaskCancelledError",
    )
    errors = {name: type(name, (Exception,), {}) for name in kinds}
    exceptions = SimpleNamespace(RayError=WorkerCrashedError, **errors)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=get, exceptions=exceptions))
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    executor = RayExecutor(address)
    stream = iter(
        [{"ev": "end", "ok": False, "error_class": "worker_lost", "message": "its fork server died"}]
    )
    executor._running[stream] = RunningGang("j", Placement("a", 1)), 0
    with socket.create_server(("127.0.0.1", 0)) as raylet:
        executor._cluster.addresses = {"a": "{}:{}".format(*raylet.getsockname())}
        if has_ended:
            raylet.close()
        [end] = executor._next([stream])
    assert end.data["error_class"] == error_class
    assert end.data["lost_nodes"] == (["a"] if error_class == "node_lost" else [])


class FakeStreams:
    """Streams of tasks as Ray gives them: an item is a reference, and a failed task an error in its place."""

    class RayError(Exception):
        pass

    class CancelledError(RayError):
        pass

    def __init__(self, streams):
        self.streams = {name: list(items) for name, items in streams.items()}
        self.waits, self.gets = [], []
        self.exceptions = SimpleNamespace(
            **dict.fromkeys(
                ("NodeDiedError", "TaskUnschedulableError", "OutOfMemoryError", "RayTaskError"), int
            ),
            TaskCancelledError=self.CancelledError,
            RayError=self.RayError,
        )

    def wait(self, streams, *, num_returns, timeout):
        self.waits.append((len(streams), num_returns))
        return [stream for stream in streams if self.streams[stream.name]][:num_returns], []

    def get(self, references):
        self.gets.append(len(references) if isinstance(references, list) else 1)
        found = references if isinstance(references, list) else [references]
        if failed := next((one for one in found if isinstance(one, self.RayError)), None):
            raise failed
        return references


class Stream:
    def __init__(self, ray, name):
        self.ray, self.name = ray, name

    def __next__(self):
        return self.ray.streams[self.name].pop(0)


@pytest.fixture
def with_streams(monkeypatch):
    """Return an executor with running jobs, each a stream of events, on a fake Ray."""

    def start(streams):
        ray = FakeStreams(streams)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setattr(ray_pool.time, "sleep", lambda seconds: None)
        executor = RayExecutor()
        for name in streams:
            executor._running[Stream(ray, name)] = RunningGang(name, Placement("a", 1)), 0
        return ray, executor

    return start


def test_a_poll_takes_what_all_jobs_have_told(with_streams):
    steps = [{"ev": "step", "step": number} for number in range(3)]
    jobs = {f"j{number}": [{"ev": "start"}, *steps, {"ev": "end", "ok": True}] for number in range(20)}
    ray, executor = with_streams(jobs)
    events = executor.poll(0.1)
    assert executor._running == {}
    for name in jobs:
        own = [event for event in events if event.job_id == name]
        assert [event.kind for event in own] == ["start", "progress", "end"]
        assert own[1].data["step"] == 2, "of a backlog, the newest"
    assert len(ray.waits) <= 7, "one round per item of the longest stream, not one per item"
    assert ray.gets == [20] * 5


def test_a_lost_task_among_others_ends_its_own_job_only(with_streams):
    lost = FakeStreams.RayError()
    jobs = {"good": [{"ev": "start"}], "bad": [lost], "other": [{"ev": "end", "ok": True}]}
    _, executor = with_streams(jobs)
    events = {event.job_id: event for event in executor.poll(0.1)}
    assert (events["good"].kind, events["other"].kind) == ("start", "end")
    assert events["bad"].data["error_class"] == "worker_lost"
    assert [job.job_id for job, _ in executor._running.values()] == ["good"]


@pytest.mark.parametrize(("is_asked", "error_class"), [(True, "preempted"), (False, "worker_lost")])
def test_a_cancelled_task_was_asked_to_stop_or_is_lost(with_streams, is_asked, error_class):
    _, executor = with_streams({"j": [FakeStreams.CancelledError()]})
    if is_asked:
        executor._asked_to_stop = {job for job, _ in executor._running.values()}
    [end] = executor.poll(0.1)
    assert end.data["error_class"] == error_class


def test_no_poll_without_jobs_asks_ray(with_streams):
    ray, executor = with_streams({})
    assert executor.poll(0.1) == []
    assert ray.waits == []


class Task:
    """A Ray task that notes the options that it is given."""

    def __init__(self):
        self.asked = []

    def options(self, **options):
        self.asked.append((options["num_cpus"], options["num_gpus"]))
        return self

    def remote(self, *words):
        return object()


def test_jobs_that_get_the_same_on_a_node_share_the_options_of_their_task(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_pool, "pinned", lambda node, **amounts: {"node": node, **amounts})
    executor, task, after_restart = RayExecutor(), Task(), Task()
    executor._task = task
    for name, gpus in [("a", {0: 1.0}), ("b", {1: 1.0}), ("c", {2: 0.5})]:
        executor.submit(name, tmp_path, "{}", Placement("n", 2, gpus, num_devices=1), 60.0)
    assert task.asked == [(2, 1.0), (2, 0.5)]
    executor._task = after_restart
    executor.submit("d", tmp_path, "{}", Placement("n", 2, {0: 1.0}, num_devices=1), 60.0)
    assert after_restart.asked == [(2, 1.0)]
    assert len(executor._running) == 4
