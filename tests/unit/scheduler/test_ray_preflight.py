"""The check of a cluster whose tasks say what the test has written down."""

import sys
from types import SimpleNamespace

import pytest

from lsbench.core.env import code_version
from lsbench.core.waits import told_to
from lsbench.scheduler import ray_preflight
from lsbench.scheduler.node_check import versions
from lsbench.scheduler.protocol import Node, NodeNeeds
from lsbench.scheduler.ray_preflight import LostCheckError, NodeChecks, check_results, run_checks

NODES = [Node("a", 4, 2, "host-a"), Node("b", 4, 0, "host-b")]
END = {"ev": "end", "ok": True}


class RayError(Exception):
    """As Ray's."""


class RayTaskError(RayError):
    """As Ray's, with the error of the task."""

    cause = ValueError("the task's own\nerror")


class Stream:
    """The events of one task; None: none comes for as long as it is waited for."""

    def __init__(self, *events):
        self.events = list(events)

    def __next__(self):
        event = self.events.pop(0) if self.events else RayError("the worker died")
        if isinstance(event, Exception):
            raise event
        return event


class FakeRay:
    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self):
        self.cancelled = []

    def wait(self, streams, timeout, num_returns=1):
        ready = [stream for stream in streams if stream.events != [None]]
        return ready, [stream for stream in streams if stream not in ready]

    def get(self, value):
        return [next(one) for one in value] if isinstance(value, list) else value

    def cancel(self, stream, force):
        self.cancelled.append(stream)


@pytest.fixture
def ray(monkeypatch):
    made = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


@pytest.fixture
def check(ray):
    """Run the check with the events of each node, in the order of starts; return problems and requests."""

    def run(*streams, variants=(), nodes=NODES, **needs):
        waiting, asked = list(streams), []

        def start(node, request, gpus):
            asked.append((node.id, gpus, request))
            return waiting.pop(0)

        return run_checks(nodes, variants, NodeNeeds(**needs), start, lambda: None), asked

    return run


def node_event(*problems, **other):
    return {"ev": "node", "versions": versions() | other, "problems": list(problems)}


def test_models_are_built_on_the_first_node_and_every_node_is_checked_with_its_gpus(check):
    variant = SimpleNamespace(model_dump=lambda mode: {"name": "v"})
    good = [{"ev": "start"}, node_event(), {"ev": "preflight", "problems": []}, END]
    problems, asked = check(Stream(*good), Stream(*good), variants=[variant], wants_gpus=True)
    assert problems == []
    assert [(node, gpus, request["variants"]) for node, gpus, request in asked] == [
        ("a", 2, [{"name": "v"}]),
        ("b", 0, []),
    ]
    assert asked[0][2]["needs"]["wants_gpus"] is True


def test_without_jobs_for_gpus_none_is_tried(check):
    _, asked = check(Stream(END), Stream(END))
    assert [gpus for _, gpus, _ in asked] == [0, 0]


def test_each_node_says_in_one_line_what_is_wrong_with_it_before_the_models(check):
    first = Stream(
        node_event("no data", "no GPU", timm="0.9"), {"ev": "preflight", "problems": ["v: bad"]}, END
    )
    problems, _ = check(first, Stream(node_event("no room"), {"ev": "preflight", "problems": []}, END))
    here = versions()["timm"]
    assert problems == [
        f"node host-a: timm 0.9, here {here}: install the same on every node; no data; no GPU",
        "v: bad",
        "node host-b: no room",
    ]


@pytest.mark.parametrize(
    "lost",
    [
        Stream({"ev": "start"}),
        Stream({"ev": "end", "ok": False, "error_class": "worker_lost", "message": "its fork server died"}),
    ],
    ids=["worker", "child"],
)
def test_a_check_that_is_lost_says_nothing_about_the_suite(check, lost):
    with pytest.raises(LostCheckError):
        check(lost, nodes=NODES[:1])


def test_a_cluster_that_is_gone_ends_the_check(ray):
    def gone():
        raise LostCheckError("the local Ray ended")

    with pytest.raises(LostCheckError, match="the local Ray ended"):
        run_checks(NODES[:1], (), NodeNeeds(), lambda *asked: Stream(None), gone)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"ev": "end", "ok": False, "error_class": "timeout", "message": "too long\nmore"}, "too long"),
        (RayTaskError(), "the task's own"),
    ],
)
def test_a_check_that_fails_by_itself_is_a_problem_of_its_node(check, end, words):
    problems, _ = check(Stream(end), nodes=NODES[:1])
    assert problems == [f"node host-a cannot be checked: {words}"]


def test_gpus_that_others_use_are_not_waited_for(check, ray, monkeypatch):
    monkeypatch.setattr(ray_preflight, "GRANT_S", 0.0)
    heard, busy = [], Stream(None)
    with told_to(heard.append):
        problems, asked = check(busy, Stream(node_event(), END), nodes=NODES[:1], wants_gpus=True)
    assert (problems, ray.cancelled) == ([], [busy])
    assert [gpus for _, gpus, _ in asked] == [2, 0]
    assert heard == ["node host-a: others use its GPUs, which are not tried before the run"]


def test_a_look_takes_all_that_a_check_has_told(ray):
    checks = NodeChecks(NodeNeeds(), lambda *asked: Stream({"ev": "start"}, node_event("bad"), END))
    checks.begin(NODES[0])
    [ended] = checks.poll(0.0)
    assert (ended.node.id, ended.problems, ended.lost) == ("a", ["node host-a: bad"], "")
    assert (checks.running, checks.poll(0.0)) == ({}, [])


def test_waits_of_the_check_are_told(check):
    heard = []
    with told_to(heard.append):
        check(Stream({"ev": "wait", "what": "building"}, END), nodes=NODES[:1])
    assert heard == ["building"]


@pytest.fixture
def answers(ray):
    """Ask nodes that answer as told; return the problems and the nodes that do not see the results."""

    def run(*given):
        def start(node):
            answer = given[NODES.index(node)]
            return Stream(
                answer if isinstance(answer, Exception) else {"sees": True, **code_version(), **answer}
            )

        return check_results(NODES[: len(given)], start, lambda: None)

    return run


def test_nodes_that_see_the_results_and_run_the_same_code_are_fine(answers):
    assert answers({}, {}) == ([], [])


def test_nodes_of_other_code_and_those_that_do_not_see_the_results_are_told(answers):
    [problem], blind = answers({"sees": False}, {"lsbench": "0.0"})
    assert problem.startswith("node host-b: lsbench 0.0")
    assert "install the same version on every node" in problem
    assert blind == ["host-a"]


def test_a_node_that_is_lost_while_it_answers_is_no_problem_of_the_suite(answers):
    with pytest.raises(LostCheckError, match="RayError"):
        answers({}, RayError("gone"))
    with pytest.raises(RayTaskError):
        answers(RayTaskError())
