"""The driver's account of the cluster: CPUs and per-device GPU shares of every node.

Only jobs that fit now are placed, so the executor's queue stays empty. An exclusive job starts when a
node has drained; it never shares with another of our jobs. The ranks of a gang are placed all at once or
not at all, so that two gangs never wait for each other.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lsbench.core.counted import counted
from lsbench.core.errors import ClusterError
from lsbench.core.job import Resources
from lsbench.scheduler.protocol import Node, Placement

FULL = 1.0
SLACK = 1e-9


@dataclass(frozen=True)
class ResourceRequest:
    """The request of a job, with ``auto`` resolved: CPUs and GPUs of all its ranks together."""

    num_cpus: int
    num_gpus: float
    exclusive: str
    num_ranks: int = 1

    @property
    def wants_node(self) -> bool:
        """True if the job needs a node to itself: as requested, or as it is exclusive on the CPU."""
        return self.exclusive == "node" or (self.exclusive == "device" and self.num_gpus == 0)

    def for_ranks(self, count: int) -> ResourceRequest:
        """Return the request of `count` of the ranks; every rank gets the same, with CPUs rounded up."""
        if self.num_ranks == 1:
            return self
        cpus, gpus = math.ceil(self.num_cpus / self.num_ranks), self.num_gpus / self.num_ranks
        return replace(self, num_cpus=cpus * count, num_gpus=gpus * count, num_ranks=count)


@dataclass
class _Account:
    node: Node
    free_cpus: int
    free_gpus: dict[int, float]
    running: int = 0
    closed: bool = False
    set_aside: set[int] = field(default_factory=set)

    def usable_gpus(self) -> dict[int, float]:
        """Return the free share of each device that jobs may have; what others use counts as the freest."""
        if not self.set_aside and not self.node.others[1]:
            return self.free_gpus
        free = {device: share for device, share in self.free_gpus.items() if device not in self.set_aside}
        taken = math.ceil(self.node.others[1] - SLACK)
        freest = sorted(free, key=lambda device: (-free[device], device))[:taken]
        return {device: share for device, share in free.items() if device not in freest}


class _Fitting(NamedTuple):
    """The nodes on which a request fits, with how full they are, and those to look at again."""

    nodes: dict[str, tuple[float, int, str]]
    changed: set[str]


class Ledger:
    """Free and taken resources of all nodes."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Open an account for every node."""
        self._accounts: dict[str, _Account] = {}
        self._gone: set[str] = set()
        #: All nodes there ever were: waiting jobs must not become CPU jobs when the last GPU is lost.
        self._seen: list[Node] = []
        self._auto: dict[ResourceRequest, bool] = {}
        #: Request -> where it fits, so that a look at all nodes is not needed for every job.
        self._fitting: dict[ResourceRequest, _Fitting] = {}
        for node in nodes:
            self.add(node)
        self._began_with_gpu = any(node.num_gpus for node in self._seen)

    def add(self, node: Node) -> None:
        """Open the account of a new node, or note a change of a known one; a lost one stays closed."""
        if node.id in self._accounts:
            self._accounts[node.id].node = node
        elif node.id not in self._gone:
            self._accounts[node.id] = _idle(node)
            self._seen.append(node)
            self._auto.clear()
        self._note_change(node.id)

    def remove(self, node_id: str) -> None:
        """Close the account of a lost node for good: a node that comes back has a new id."""
        self._gone.add(node_id)
        self._accounts.pop(node_id, None)
        self._note_change(node_id)

    def close_device(self, node_id: str, device: int) -> bool:
        """Give a device of a node to no further job; return False if the node has it no more."""
        account = self._accounts.get(node_id)
        if account is None or device not in account.free_gpus or device in account.set_aside:
            return False
        account.set_aside.add(device)
        self._note_change(node_id)
        return True

    def open_device(self, node_id: str, device: int) -> None:
        """Give a device to jobs again."""
        if node_id in self._accounts:
            self._accounts[node_id].set_aside.discard(device)
            self._note_change(node_id)

    def node_name(self, node_id: str) -> str:
        """Return the name of a node for people; of one without an account, its id."""
        return self._accounts[node_id].node.name if node_id in self._accounts else node_id

    def stop_using(self, node_id: str) -> None:
        """Start no more jobs on a node that is about to leave."""
        account = self._accounts.get(node_id)
        if account is not None:
            account.node = replace(account.node, is_leaving=True)
            self._note_change(node_id)

    def nodes(self) -> list[Node]:
        """Return the nodes with an account."""
        return [account.node for account in self._accounts.values()]

    def node_ids(self) -> set[str]:
        """Return the ids of the nodes with an account."""
        return set(self._accounts)

    def request(self, resources: Resources) -> ResourceRequest:
        """Return the request for `resources` on this cluster; ``auto`` is one GPU per rank, if available.

        GPUs of nodes that have joined since the beginning count if the job fits on them.
        """
        gpus, ranks = resources.num_gpus or 0.0, resources.num_ranks or 1
        asked = ResourceRequest(
            num_cpus=max(resources.num_cpus or 1, ranks),
            num_gpus=float(ranks if gpus == "auto" else gpus),
            exclusive=resources.exclusive or "no",
            num_ranks=ranks,
        )
        return asked if gpus != "auto" or self._is_for_gpus(asked) else replace(asked, num_gpus=0.0)

    def _is_for_gpus(self, asked: ResourceRequest) -> bool:
        if asked not in self._auto:
            is_late = not self._began_with_gpu and any(node.num_gpus for node in self._seen)
            fits_late = is_late and Ledger(self._seen).place(asked) is not None
            self._auto[asked] = self._began_with_gpu or fits_late
        return self._auto[asked]

    def check_fits(self, request: ResourceRequest, label: str) -> None:
        """Raise if no node, or for a gang all nodes together, can hold the job, even when idle.

        Raises:
            ClusterError: With the job, its request and the available resources.
        """
        empty = Ledger(account.node.idle for account in self._accounts.values())
        if empty.place(request) is not None:
            return
        advice = "lower `resources` or use --address"
        if request.num_ranks > 1:
            one, ranks = request.for_ranks(1), request.num_ranks
            found = sum(empty._ranks_that_fit(account, request) for account in empty._accounts.values())
            raise ClusterError(
                f"{label}: requests {counted(ranks, 'rank')} with {amounts_text(one)} each; "
                f"all nodes together hold {found} of them; {advice}"
            )
        nodes = [account.node for account in self._accounts.values()]
        largest = max(nodes, key=lambda n: (n.num_gpus, n.num_cpus), default=Node("none", 0))
        raise ClusterError(
            f"{label}: requests {amounts_text(request)}; the largest node has "
            f"{amounts_text(largest)}; {advice}"
        )

    def place(self, request: ResourceRequest, *, avoid: Collection[str] = ()) -> Placement | None:
        """Take resources for a job and return its placement, or None if it does not fit now.

        The fullest node that fits is taken, so that others can drain. A gang that does not fit on one node is
        spread over as few nodes as possible, in whole ranks.

        Args:
            request: The request of the job.
            avoid: Nodes to leave alone.
        """
        whole = request.for_ranks(request.num_ranks)
        fitting = self._where_fits(whole)
        if open_ := [name for name in fitting if name not in avoid] if avoid else fitting:
            return self._take(self._accounts[min(open_, key=fitting.__getitem__)], whole)
        if request.num_ranks == 1:
            return None
        others = [account for name, account in self._accounts.items() if name not in avoid]
        parts = [self._take(account, share) for account, share in self._shares(request, others)]
        return replace(parts[0], further=tuple(parts[1:])) if parts else None

    def _where_fits(self, request: ResourceRequest) -> dict[str, tuple[float, int, str]]:
        """Return the nodes on which a request fits now, with how full they are, the fullest the lowest."""
        found = self._fitting.setdefault(request, _Fitting({}, set(self._accounts)))
        for name in found.changed:
            account = self._accounts.get(name)
            if account is not None and self._fits(account, request):
                found.nodes[name] = sum(account.free_gpus.values()), account.free_cpus, name
            else:
                found.nodes.pop(name, None)
        found.changed.clear()
        return found.nodes

    def _note_change(self, node_id: str) -> None:
        for one in self._fitting.values():
            one.changed.add(node_id)

    @property
    def num_nodes(self) -> int:
        """The number of nodes with an account."""
        return len(self._accounts)

    def free_at(
        self, node_id: str, request: ResourceRequest, ends: Iterable[tuple[float, Placement]]
    ) -> float:
        """Return when a request will fit on a node: minus infinity if it does now, infinity if unknown.

        Args:
            node_id: The node.
            request: A request that the idle node holds.
            ends: The jobs on the node with the times at which they end, in this order.
        """
        later = replace(self._accounts[node_id], free_gpus=dict(self._accounts[node_id].free_gpus))
        if self._fits(later, request):
            return -math.inf
        for end, part in ends:
            _give_back(later, part)
            if self._fits(later, request):
                return end
        return math.inf

    def ranks_when_idle(self, node_id: str, request: ResourceRequest) -> int:
        """Return how many ranks of a request a node holds when nobody uses it; none if it leaves."""
        account = self._accounts[node_id]
        alone = replace(account.node, others=(0.0, 0.0))
        idle = replace(_idle(alone), set_aside=account.set_aside)
        return self._ranks_that_fit(idle, request)

    def _shares(
        self, request: ResourceRequest, accounts: Iterable[_Account]
    ) -> list[tuple[_Account, ResourceRequest]]:
        """Return the ranks of each node, nodes with the most room first, or nothing if not all fit."""
        room = {account.node.id: self._ranks_that_fit(account, request) for account in accounts}
        left, shares = request.num_ranks, []
        for name in sorted(room, key=lambda name: (-room[name], name)):
            count = min(left, room[name])
            if count:
                shares.append((self._accounts[name], request.for_ranks(count)))
            left -= count
        return [] if left else shares

    def _ranks_that_fit(self, account: _Account, request: ResourceRequest) -> int:
        counts = range(request.num_ranks, 0, -1)
        return next((count for count in counts if self._fits(account, request.for_ranks(count))), 0)

    def release(self, placement: Placement) -> None:
        """Release the resources taken by :meth:`place`; a lost node is skipped."""
        for part in placement.parts:
            account = self._accounts.get(part.node)
            if account is not None:
                _give_back(account, part)
                self._note_change(part.node)

    def _take(self, account: _Account, request: ResourceRequest) -> Placement:
        """Take the resources of a request from a node on which it fits."""
        self._note_change(account.node.id)
        shares = _choose_devices(account.usable_gpus(), request) or {}
        cpus, taken = request.num_cpus, shares
        if request.wants_node:
            cpus, taken = account.node.num_cpus, dict.fromkeys(account.usable_gpus(), FULL)
        account.free_cpus -= cpus
        for device, share in taken.items():
            account.free_gpus[device] -= share
        account.closed = request.wants_node
        account.running += 1
        return Placement(account.node.id, cpus, taken, num_devices=len(shares), num_ranks=request.num_ranks)

    @staticmethod
    def _fits(account: _Account, request: ResourceRequest) -> bool:
        node = account.node
        if account.closed or node.is_leaving:
            return False
        if request.wants_node and (account.running or any(node.others)):
            return False
        if account.free_cpus - node.others[0] < request.num_cpus:
            return False
        return _choose_devices(account.usable_gpus(), request) is not None


def amounts_text(of: ResourceRequest | Node) -> str:
    """Return the CPUs and GPUs of a request, or of a node, as part of a sentence.

    >>> amounts_text(Node("a", 1, 2))
    '1 CPU and 2 GPUs'
    """
    return f"{counted(of.num_cpus, 'CPU')} and {counted(of.num_gpus, 'GPU')}"


def _idle(node: Node) -> _Account:
    return _Account(node, node.num_cpus, dict.fromkeys(range(node.num_gpus), FULL))


def _give_back(account: _Account, part: Placement) -> None:
    account.free_cpus += part.num_cpus
    for device, share in part.gpus.items():
        account.free_gpus[device] += share
    account.running -= 1
    account.closed = False


def _choose_devices(free: dict[int, float], request: ResourceRequest) -> dict[int, float] | None:
    """Return the share to take of each device, or None if they do not fit.

    A fraction goes to the fullest device with room for it; whole numbers take unused devices. An
    exclusive job takes whole devices, whatever fraction it requests.
    """
    wanted = request.num_gpus
    if wanted == 0:
        return {}
    if wanted < 1 and request.exclusive == "no":
        fitting = [device for device, share in free.items() if share + SLACK >= wanted]
        return {min(fitting, key=lambda d: (free[d], d)): wanted} if fitting else None
    untouched = [device for device, share in free.items() if share >= FULL - SLACK]
    count = max(1, round(wanted))
    return dict.fromkeys(untouched[:count], FULL) if len(untouched) >= count else None
