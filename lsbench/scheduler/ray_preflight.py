"""Check every node of a Ray cluster, and build every model once, before any job starts.

The check itself can lose a worker or a node: then it is made again, as a job would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lsbench.core.env import code_version
from lsbench.core.job import Variant
from lsbench.core.waits import announce
from lsbench.scheduler.node_check import differences, versions
from lsbench.scheduler.protocol import Node, NodeNeeds
from lsbench.suite.splits import DataUse

#: The ends of a check that say nothing but that it was lost.
LOST = ("worker_lost", "node_lost")
#: Seconds in which Ray must grant the GPUs of a node, which other programs of the cluster may have.
GRANT_S = 30.0
#: Most seconds for a look at the data and the models: of COCO-2017 it reads half a gigabyte of annotations.
TIMEOUT_S = 3600.0
POLL_S = 0.5
#: Starts a request on a node with all, or none, of its GPUs; returns the stream of its events.
Start = Callable[[Node, dict[str, Any], int], Any]


class LostCheckError(Exception):
    """The check was lost with what ran it; it says nothing about the suite or the nodes."""


@dataclass
class _Check:
    """The check of one node.

    Attributes:
        node: The node.
        request: The request that was sent.
        gpus: GPUs that are to be tried.
        has_begun: Whether its first event has come.
    """

    node: Node
    request: dict[str, Any]
    gpus: int
    seconds: float = 0.0
    has_begun: bool = False
    problems: list[str] = field(default_factory=list)


def check_request(
    variants: Sequence[Variant], needs: NodeNeeds, gpus: int, data: Sequence[DataUse] = ()
) -> dict[str, Any]:
    """Return the request for the check of a node, with the models and data that are tried there."""
    tried = {
        "variants": [one.model_dump(mode="json") for one in variants],
        "data": [one.model_dump(mode="json") for one in data],
    }
    return {"action": "preflight", **tried, "needs": asdict(needs), "gpus": gpus}


def run_checks(
    nodes: Sequence[Node],
    variants: Sequence[Variant],
    needs: NodeNeeds,
    start: Start,
    still_there: Callable[[], object],
    *,
    data: Sequence[DataUse] = (),
) -> list[str]:
    """Check all nodes at the same time, models and data on the first; return one line per problem.

    Args:
        nodes: The nodes.
        variants: Variants whose models are built.
        needs: What jobs need on every node.
        start: Starts a request on a node.
        still_there: Raises if the cluster is gone; called now and then.
        data: Data sets that are looked at.

    Raises:
        LostCheckError: If a worker or a node was lost meanwhile.
    """
    import ray

    running: dict[Any, _Check] = {}

    def begin(node: Node, gpus: int) -> None:
        is_first = node is nodes[0]
        request = check_request(variants if is_first else (), needs, gpus, data if is_first else ())
        running[start(node, request, gpus)] = _Check(node, request, gpus)

    for node in nodes:
        begin(node, node.num_gpus if needs.wants_gpus else 0)
    problems: dict[str, list[str]] = {node.id: [] for node in nodes}
    while running:
        ready, waiting = ray.wait(list(running), timeout=POLL_S)
        still_there()
        for stream in ready:
            check = running[stream]
            if _take(check, _next_event(stream)):
                del running[stream]
                problems[check.node.id] = check.problems
        for stream in waiting:
            check = running[stream]
            check.seconds += 0 if ready else POLL_S
            if check.gpus and not check.has_begun and check.seconds > GRANT_S:
                del running[stream]
                ray.cancel(stream, force=False)
                announce(f"node {check.node.name}: others use its GPUs, which are not tried before the run")
                begin(check.node, 0)
    return [problem for found in problems.values() for problem in found]


def _next_event(stream: Any) -> dict[str, Any]:
    import ray

    try:
        event: dict[str, Any] = ray.get(next(stream))
    except ray.exceptions.RayTaskError as error:
        return {"ev": "end", "ok": False, "error_class": "", "message": str(error.cause or error)}
    except (StopIteration, ray.exceptions.RayError) as error:
        raise LostCheckError(f"its Ray worker was lost ({type(error).__name__})") from error
    return event


def _take(check: _Check, event: Mapping[str, Any]) -> bool:
    """Take an event of a check; return whether it was the last.

    Raises:
        LostCheckError: If the check's own process was lost.
    """
    check.has_begun = True
    if event["ev"] == "wait":
        announce(event["what"])
    elif event["ev"] == "node":
        other = differences(event["versions"], versions()) if "versions" in event else []
        found = [f"{', '.join(other)}: install the same on every node"] if other else []
        if whole := "; ".join([*found, *event["problems"]]):
            check.problems.insert(0, f"node {check.node.name}: {whole}")
    elif event["ev"] == "preflight":
        check.problems += event["problems"]
    elif event["ev"] == "end" and not event["ok"]:
        first = str(event["message"]).strip().splitlines()[:1]
        if event["error_class"] in LOST:
            raise LostCheckError(*first)
        check.problems.append(f"node {check.node.name} cannot be checked: {''.join(first)}")
    return bool(event["ev"] == "end")


def check_results(
    nodes: Sequence[Node], start: Callable[[Node], Any], still_there: Callable[[], object]
) -> tuple[list[str], list[str]]:
    """Ask every node for the version of its code, and whether it sees the results folder.

    Args:
        nodes: The nodes.
        start: Starts :func:`lsbench.scheduler.ray_tasks.probe_node` on a node.
        still_there: Raises if the cluster is gone; called now and then.

    Returns:
        The problems, and the names of the nodes that do not see the folder.

    Raises:
        LostCheckError: If a worker or a node was lost meanwhile.
    """
    import ray

    tasks = [start(node) for node in nodes]
    waiting = tasks
    while waiting:
        _, waiting = ray.wait(tasks, num_returns=len(tasks), timeout=POLL_S)
        still_there()
    try:
        answers = ray.get(tasks)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise LostCheckError(f"a worker or a node was lost ({type(error).__name__})") from error
    found = list(zip(nodes, answers, strict=True))
    problems = [problem for node, answer in found for problem in code_problems(node, answer)]
    return problems, [node.name for node, answer in found if not answer["sees"]]


def code_problems(node: Node, answer: Mapping[str, Any]) -> list[str]:
    """Return the reason why a node cannot run jobs: different code.

    Args:
        node: The node.
        answer: Its answer, see :func:`lsbench.scheduler.ray_tasks.probe_node`.
    """
    here = code_version()
    if {k: answer[k] for k in here} == here:
        return []
    theirs, ours = (
        f"{v['lsbench']} ({v['git_sha'] or 'installed'}, source {v['source_sha256']})" for v in (answer, here)
    )
    return [f"node {node.name}: lsbench {theirs}, here {ours}; install the same version on every node"]
