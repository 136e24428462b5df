"""Nodes that join, whose checks say what the test has written down."""

import sys
from types import SimpleNamespace

import pytest

from lsbench.core.env import code_version
from lsbench.core.waits import told_to
from lsbench.scheduler.node_check import versions
from lsbench.scheduler.protocol import Node, NodeNeeds
from lsbench.scheduler.ray_joining import JoiningNodes
from lsbench.scheduler.ray_preflight import TRIES

OLD, NEW = Node("a", 4, 0, "host-a"), Node("b", 4, 2, "host-b")
END = {"ev": "end", "ok": True}
LOST = {"ev": "end", "ok": False, "error_class": "worker_lost", "message": "its fork server died"}


class RayError(Exception):
    """As Ray's."""


class RayTaskError(RayError):
    cause = ModuleNotFoundError("No module named 'lsbench'")


class Stream:
    """The events of a check so far; a node without any is still being checked."""

    def __init__(self, events):
        self.events = list(events)

    def __next__(self):
        return self.events.pop(0)


def get(value):
    if isinstance(value, Exception):
        raise value
    return value


@pytest.fixture
def join(monkeypatch):
    """Return what makes the nodes of a run that began with one, and gives those that join their checks."""

    def wait(streams, timeout):
        ready = [stream for stream in streams if stream.events]
        return ready, [stream for stream in streams if stream not in ready]

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(wait=wait, get=get, exceptions=exceptions))

    def make(*checks, answer=None, **needs):
        waiting, asked = [Stream(events) for events in checks], []

        def start(node, request, gpus):
            asked.append((node.id, gpus, request))
            return waiting.pop(0)

        def probe(node):
            return (
                answer
                if isinstance(answer, Exception)
                else {"sees": True, **code_version(), **(answer or {})}
            )

        return JoiningNodes([OLD], NodeNeeds(**needs), start, probe), asked, [*waiting]

    return make


def looks(joining, *nodes, times=1):
    """Return the nodes that may get jobs after some looks, and what was said."""
    heard, fit = [], []
    with told_to(heard.append):
        for _ in range(times):
            fit = joining.fit(nodes)
    return fit, heard


def checked(*problems):
    return [{"ev": "start"}, {"ev": "node", "versions": versions(), "problems": list(problems)}, END]


def test_nodes_that_were_checked_before_the_run_are_not_checked_again(join):
    joining, asked, _ = join()
    assert looks(joining, OLD) == ([OLD], [])
    assert asked == []


def test_a_node_that_joins_gets_jobs_when_its_check_has_ended_and_is_waited_for_by_nobody(join):
    joining, asked, [stream] = join([], wants_gpus=True)
    assert looks(joining, OLD, NEW, times=2) == (
        [OLD],
        ["node host-b has joined; checking it before its first job"],
    )
    assert [(node, gpus, request["gpus"]) for node, gpus, request in asked] == [("b", 2, 2)]
    assert joining.gpus == {"b": 2}, "which are not the use of others"
    stream.events += checked()
    assert looks(joining, OLD, NEW, times=2) == ([OLD, NEW], [])
    assert joining.gpus == {}


def test_a_node_with_a_fault_is_named_once_and_never_gets_jobs(join):
    joining, _, _ = join(checked("no data", "no GPU"), answer={"lsbench": "0.0"})
    fit, [_, told] = looks(joining, OLD, NEW, times=3)
    assert fit == [OLD]
    assert told.startswith("node host-b: lsbench 0.0")
    assert told.endswith("node host-b: no data; no GPU; the node gets no jobs of this run")


def test_a_node_without_lsbench_is_named(join):
    lost = {**LOST, "error_class": "", "message": "cannot import"}
    joining, _, _ = join([lost], answer=RayTaskError())
    fit, [_, told] = looks(joining, NEW)
    assert fit == []
    assert "node host-b cannot be checked: No module named 'lsbench'" in told


def test_a_check_that_is_lost_is_made_again_and_not_for_ever(join):
    joining, asked, _ = join([LOST], [LOST], checked())
    assert looks(joining, NEW, times=3)[0] == [NEW]
    assert len(asked) == 3
    joining, asked, _ = join(*[[LOST]] * TRIES)
    fit, [_, told] = looks(joining, NEW, times=TRIES + 2)
    assert (fit, len(asked)) == ([], TRIES)
    assert told == ("node host-b cannot be checked: its fork server died; the node gets no jobs of this run")


def test_a_node_that_is_lost_with_its_check_is_forgotten(join):
    joining, asked, [stream] = join([])
    looks(joining, OLD, NEW)
    stream.events.append(LOST)
    assert looks(joining, OLD, times=2) == ([OLD], [])
    assert len(asked) == 1


def test_a_node_that_does_not_see_the_results_says_so_and_gets_jobs(join):
    joining, _, _ = join(checked(), answer={"sees": False})
    fit, heard = looks(joining, NEW)
    assert fit == [NEW]
    assert heard[1:] == ["node host-b does not see the results folder; files of jobs go through Ray"]
