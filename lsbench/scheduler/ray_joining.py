"""Check a node that joins a cluster during a run before its first job; one that cannot run jobs gets none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lsbench.core.waits import announce
from lsbench.scheduler.protocol import Node, NodeNeeds
from lsbench.scheduler.ray_preflight import TRIES, NodeCheck, NodeChecks, Start, code_problems
from lsbench.scheduler.ray_streams import first_line


class JoiningNodes:
    """Checks nodes as they join, beside the jobs that run; nobody waits for a check."""

    def __init__(
        self, checked: Iterable[Node], needs: NodeNeeds, start: Start, start_probe: Callable[[Node], Any]
    ) -> None:
        """Take the nodes that were checked before the run as fit.

        Args:
            checked: These nodes.
            needs: What jobs need on every node.
            start: Starts a request on a node.
            start_probe: Starts :func:`lsbench.scheduler.ray_tasks.probe_node` on a node.
        """
        self._fit = {node.id for node in checked}
        self._start_probe = start_probe
        self._checks = NodeChecks(needs, start)
        self._probes: dict[str, Any] = {}
        self._tries: dict[str, int] = {}

    @property
    def gpus(self) -> dict[str, int]:
        """The GPUs that checks have at the moment, by the ids of their nodes."""
        return {check.node.id: check.gpus for check in self._checks.running.values()}

    def fit(self, alive: Sequence[Node]) -> list[Node]:
        """Return the nodes that may get jobs: those whose check has ended and found nothing.

        Args:
            alive: All nodes that are alive; checks of new ones begin.
        """
        for node in alive:
            if node.id not in self._fit and node.id not in self._tries:
                announce(f"node {node.name} has joined; checking it before its first job")
                self._tries[node.id] = 0
                self._begin(node)
        there = {node.id for node in alive}
        for check in self._checks.poll(0.0):
            if check.node.id in there:
                self._judge(check)
        return [node for node in alive if node.id in self._fit]

    def _begin(self, node: Node) -> None:
        self._tries[node.id] += 1
        self._probes[node.id] = self._start_probe(node)
        self._checks.begin(node)

    def _judge(self, check: NodeCheck) -> None:
        """Take a node as fit or set it aside; a check that was lost on a node that is there is made again."""
        node, problems, lost, sees = check.node, list(check.problems), check.lost, True
        if not lost:
            lost, sees, found = self._answer(node)
            problems = [*found, *problems]
        if lost and self._tries[node.id] < TRIES:
            self._begin(node)
            return
        if lost:
            problems.append(f"node {node.name} cannot be checked: {lost}")
        if problems:
            announce(f"{'; '.join(problems)}; the node gets no jobs of this run")
            return
        self._fit.add(node.id)
        if not sees:
            announce(f"node {node.name} does not see the results folder; files of jobs go through Ray")

    def _answer(self, node: Node) -> tuple[str, bool, list[str]]:
        """Return how the answer of a node was lost, if it was, whether it sees the results, and problems.

        Its check has ended on the same node, so that this does not wait for long.
        """
        import ray

        try:
            answer = ray.get(self._probes.pop(node.id))
        except ray.exceptions.RayTaskError as error:
            return "", True, [f"node {node.name} cannot be checked: {first_line(error.cause or error)}"]
        except ray.exceptions.RayError as error:
            return first_line(error), True, []
        return "", bool(answer["sees"]), code_problems(node, answer)
