"""The driver's own account of the cluster: CPUs and per-device GPU shares of every node.

Only what fits now is placed, so the executor's queue stays empty. An exclusive job starts when a
node has drained; it never shares with a job of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lsbench.core.errors import ClusterError
from lsbench.core.job import Resources
from lsbench.scheduler.protocol import Node, Placement

FULL = 1.0
SLACK = 1e-9


@dataclass(frozen=True)
class Request:
    """What a job asks for, with ``auto`` settled."""

    num_cpus: int
    num_gpus: float
    exclusive: str

    @property
    def wants_node(self) -> bool:
        """Whether the job needs a node to itself: asked for, or exclusive on the CPU."""
        return self.exclusive == "node" or (self.exclusive == "device" and self.num_gpus == 0)


@dataclass
class _Account:
    node: Node
    free_cpus: int
    free_gpus: dict[int, float]
    running: int = 0
    closed: bool = False


class Ledger:
    """Free and taken resources of all nodes."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Open an account for every node."""
        self._accounts: dict[str, _Account] = {}
        self._gone: set[str] = set()
        for node in nodes:
            self.add(node)
        #: Settled once: a run must not turn its waiting jobs into CPU jobs when the last GPU is lost.
        self._has_gpu = any(account.node.num_gpus for account in self._accounts.values())

    def add(self, node: Node) -> None:
        """Open the account of a node that has joined; a known one stays as it is, a lost one stays closed."""
        if node.id not in self._accounts and node.id not in self._gone:
            gpus = dict.fromkeys(range(node.num_gpus), FULL)
            self._accounts[node.id] = _Account(node, node.num_cpus, gpus)

    def remove(self, node_id: str) -> None:
        """Close the account of a node that is gone, for good: a node that comes back has a new id."""
        self._gone.add(node_id)
        self._accounts.pop(node_id, None)

    def node_ids(self) -> set[str]:
        """Return the ids of the nodes with an account."""
        return set(self._accounts)

    def request(self, resources: Resources) -> Request:
        """Return what `resources` means on this cluster: ``auto`` is one GPU where there is any."""
        gpus = resources.num_gpus or 0.0
        return Request(
            num_cpus=resources.num_cpus or 1,
            num_gpus=float(self._has_gpu) if gpus == "auto" else float(gpus),
            exclusive=resources.exclusive or "no",
        )

    def check_fits(self, request: Request, label: str) -> None:
        """Raise if no node could ever hold the job, even when empty.

        Raises:
            ClusterError: Naming the job, what it asks for and the largest node.
        """
        nodes = [account.node for account in self._accounts.values()]
        if not any(n.num_cpus >= request.num_cpus and n.num_gpus >= request.num_gpus for n in nodes):
            largest = max(nodes, key=lambda n: (n.num_gpus, n.num_cpus), default=Node("none", 0))
            raise ClusterError(
                f"{label}: asks for {request.num_cpus} CPUs and {request.num_gpus:g} GPUs; the largest "
                f"node has {largest.num_cpus} CPUs and {largest.num_gpus} GPUs; lower `resources` or use "
                "--address"
            )

    def place(self, request: Request) -> Placement | None:
        """Take resources for a job and return where it may start, or None if it fits nowhere now.

        The fullest node that fits is taken, so that others can drain.
        """
        fitting = [account for account in self._accounts.values() if self._fits(account, request)]
        if not fitting:
            return None
        account = min(fitting, key=lambda a: (sum(a.free_gpus.values()), a.free_cpus, a.node.id))
        placement = _placement(account, request)
        account.free_cpus -= placement.num_cpus
        for device, share in placement.gpus.items():
            account.free_gpus[device] -= share
        account.closed = request.wants_node
        account.running += 1
        return placement

    def release(self, placement: Placement) -> None:
        """Give back what :meth:`place` took; a node that is gone is passed over."""
        account = self._accounts.get(placement.node)
        if account is None:
            return
        account.free_cpus += placement.num_cpus
        for device, share in placement.gpus.items():
            account.free_gpus[device] += share
        account.running -= 1
        account.closed = False

    @staticmethod
    def _fits(account: _Account, request: Request) -> bool:
        if account.closed or (request.wants_node and account.running):
            return False
        if account.free_cpus < request.num_cpus:
            return False
        return _choose_devices(account.free_gpus, request) is not None


def _placement(account: _Account, request: Request) -> Placement:
    shares = _choose_devices(account.free_gpus, request) or {}
    if request.wants_node:
        everything = dict.fromkeys(account.free_gpus, FULL)
        return Placement(account.node.id, account.node.num_cpus, everything, num_devices=len(shares))
    return Placement(account.node.id, request.num_cpus, shares, num_devices=len(shares))


def _choose_devices(free: dict[int, float], request: Request) -> dict[int, float] | None:
    """Return the share to take of each device, or None if they do not fit.

    A fraction goes to the fullest device that holds it; whole numbers take untouched devices. An
    exclusive job takes whole devices, whatever fraction it asks for.
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
