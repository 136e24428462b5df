"""Check every node of a Ray cluster, and build every model once, before any job starts.

The check itself can lose a worker or a node: then it is made again, as a job would be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lsbench.core.env import code_version
from lsbench.core.job import Variant
from lsbench.core.waits import announce
from lsbench.scheduler.node_check import differences, versions
from lsbench.scheduler.protocol import Node, NodeNeeds
from lsbench.suite.splits import DataUse

#: How often a check that is lost is made.
TRIES = 4
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
class NodeCheck:
    """The check of one node.

    Attributes:
        node: The node.
        request: The request that was sent.
        gpus: GPUs that are to be tried.
        began: When it was started, on the clock of the checks.
        has_begun: Whether its first event has come.
        problems: What was found, one line each.
        lost: How the check was lost, if it was: it then says nothing about the node.
    """

    node: Node
    request: dict[str, Any]
    gpus: int
    began: float
    has_begun: bool = False
    problems: list[str] = field(default_factory=list)
    lost: str = ""


class NodeChecks:
    """Checks of nodes that run at the same time."""

    def __init__(
        self, needs: NodeNeeds, start: Start, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; no check has begun.

        Args:
            needs: What jobs need on every node.
            start: Starts a request on a node.
            clock: Returns seconds.
        """
        self.needs = needs
        self.running: dict[Any, NodeCheck] = {}
        self._start, self._clock = start, clock

    def begin(self, node: Node, variants: Sequence[Variant] = (), data: Sequence[DataUse] = ()) -> None:
        """Start the check of a node, with models and data that are looked at there."""
        gpus = node.num_gpus if self.needs.wants_gpus else 0
        self._send(node, check_request(variants, self.needs, gpus, data), gpus)

    def _send(self, node: Node, request: dict[str, Any], gpus: int) -> None:
        self.running[self._start(node, request, gpus)] = NodeCheck(node, request, gpus, self._clock())

    def poll(self, timeout_s: float) -> list[NodeCheck]:
        """Return the checks that have ended since the last call.

        Args:
            timeout_s: Most seconds to wait for the first event.
        """
        import ray

        ended = []
        while self.running:
            ready, waiting = ray.wait(list(self.running), timeout=timeout_s)
            if not ready:
                self._give_up_gpus(waiting)
                break
            timeout_s = 0.0
            for stream in ready:
                check = self.running[stream]
                if _take(check, stream):
                    ended.append(self.running.pop(stream))
        return ended

    def _give_up_gpus(self, streams: Iterable[Any]) -> None:
        """Check nodes whose GPUs others use without them."""
        import ray

        for stream in streams:
            check = self.running[stream]
            if check.gpus and not check.has_begun and self._clock() - check.began > GRANT_S:
                del self.running[stream]
                ray.cancel(stream, force=False)
                announce(f"node {check.node.name}: others use its GPUs, which are not tried before the run")
                self._send(check.node, {**check.request, "gpus": 0}, 0)


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
    checks = NodeChecks(needs, start)
    for node in nodes:
        looked_at = (variants, data) if node is nodes[0] else ()
        checks.begin(node, *looked_at)
    problems: dict[str, list[str]] = {node.id: [] for node in nodes}
    while checks.running:
        ended = checks.poll(POLL_S)
        still_there()
        for check in ended:
            if check.lost:
                raise LostCheckError(check.lost)
            problems[check.node.id] = check.problems
    return [problem for found in problems.values() for problem in found]


def _take(check: NodeCheck, stream: Any) -> bool:
    """Take the next event of a check; return whether it was the last, as when the check was lost."""
    import ray

    check.has_begun = True
    try:
        event = ray.get(next(stream))
    except ray.exceptions.RayTaskError as error:
        event = {"ev": "end", "ok": False, "error_class": "", "message": str(error.cause or error)}
    except (StopIteration, ray.exceptions.RayError) as error:
        check.lost = f"its Ray worker was lost ({type(error).__name__})"
        return True
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
        first = "".join(str(event["message"]).strip().splitlines()[:1])
        if event["error_class"] in LOST:
            check.lost = first or event["error_class"]
        else:
            check.problems.append(f"node {check.node.name} cannot be checked: {first}")
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
