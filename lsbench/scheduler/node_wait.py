"""The wait for nodes while jobs are ready and nothing can run: it is said, and it may have an end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lsbench.core.counted import counted
from lsbench.core.quantity import from_duration
from lsbench.core.waits import announce
from lsbench.scheduler.ledger import ResourceRequest, amounts_text
from lsbench.scheduler.protocol import Node

POLL_S = 0.25
#: Seconds after which a log is told of the wait again.
TOLD_EVERY_S = 300.0


def may_fit_later(nodes: Sequence[Node], *, can_grow: bool, limit_s: float | None) -> bool:
    """Return whether a job that fits on none of the nodes, even when they are idle, is worth to wait for.

    Unless the user says so, only where nodes are made as they are needed, or where there is none yet: else a
    request that is too large would wait for ever.

    Args:
        nodes: The nodes that there are.
        can_grow: Whether nodes may join at all.
        limit_s: Most seconds that the user would wait, or None.
    """
    if not can_grow:
        return False
    if limit_s is not None:
        return limit_s > 0
    return any(node.is_of_group for node in nodes) or not any(node.num_cpus for node in nodes)


class NodeWait:
    """Waits for nodes that come, come back, or are left by others."""

    def __init__(
        self,
        limit_s: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nobody waits yet.

        Args:
            limit_s: Most seconds of one wait; None: without end.
            clock: Returns seconds.
            sleep: Sleeps for seconds.
        """
        self.limit_s = limit_s
        self._clock, self._sleep = clock, sleep
        self._since: float | None = None
        self._told = 0.0

    @property
    def is_over(self) -> bool:
        """True if the wait has taken as long as it may."""
        return (
            self.limit_s is not None
            and self._since is not None
            and self._clock() - self._since >= self.limit_s
        )

    @property
    def why_over(self) -> str:
        """The reason to skip what waits."""
        limit = from_duration(self.limit_s or 0.0)
        return f"no node for it was free within {limit} (--wait-for-nodes)"

    def ended(self) -> None:
        """Something runs again."""
        self._since = None

    def wait(self, label: str, request: ResourceRequest, nodes: Sequence[Node], *, num_jobs: int) -> bool:
        """Wait a moment, and say for what; return whether to look for nodes again.

        Args:
            label: A job that waits.
            request: What it requests.
            nodes: The nodes that there are.
            num_jobs: How many jobs wait for nodes.
        """
        now = self._clock()
        if self._since is None:
            self._since, self._told = now, now
            announce(f"waiting for nodes: {_what(label, request, nodes, num_jobs)}{self._bound()}")
        elif now - self._told >= TOLD_EVERY_S:
            self._told = now
            waited = from_duration(now - self._since)
            announce(f"waiting for nodes for {waited}: {_what(label, request, nodes, num_jobs)}")
        if self.is_over:
            return False
        self._sleep(POLL_S)
        return True

    def _bound(self) -> str:
        if self.limit_s is None:
            return "; --wait-for-nodes MIN bounds this wait"
        return f"; for at most {from_duration(self.limit_s)} (--wait-for-nodes)"


def _what(label: str, request: ResourceRequest, nodes: Sequence[Node], num_jobs: int) -> str:
    """Return the request of a job and what there is, as part of a sentence."""
    ranks = f" in {request.num_ranks} ranks" if request.num_ranks > 1 else ""
    alone = ", with the node to itself" if request.wants_node else ""
    asks = f"{label} requests {amounts_text(request)}{ranks}{alone}"
    more = f" ({counted(num_jobs - 1, 'more job waits', 'more jobs wait')})" if num_jobs > 1 else ""
    usable = [node for node in nodes if node.num_cpus]
    if not usable:
        return f"{asks}, and there is no node with CPUs{more}"
    none = "the only node does not have" if len(usable) == 1 else f"none of {len(usable)} nodes has"
    return f"{asks}, which {none} free{more}: {'; '.join(map(_of_node, usable[:4]))}"


def _of_node(node: Node) -> str:
    found = f"{node.name or node.id} has {amounts_text(node)}"
    if node.is_leaving:
        return f"{found} and is about to leave"
    cpus, gpus = node.others
    return f"{found}, others use {cpus:g} and {gpus:g}" if cpus or gpus else found
