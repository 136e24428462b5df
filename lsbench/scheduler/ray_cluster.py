"""A Ray cluster that changes and is shared: nodes that leave, what others use, and nodes to ask for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from lsbench.scheduler.demand import Bundle
from lsbench.scheduler.others_use import Amounts, OthersUse
from lsbench.scheduler.protocol import Node

#: The label of nodes that an autoscaler has made.
GROUP_LABEL = "ray.io/node-group"
#: Seconds for which a node gets no jobs after one of them was asked to stop there, unless it leaves.
AWAY_S = 60.0


class RayCluster:
    """What Ray tells of the nodes of a cluster.

    Attributes:
        draining: The nodes that Ray itself is about to take away.
        addresses: Where each node's raylet answers, as ``host:port``.
    """

    def __init__(self, *, is_shared: bool) -> None:
        """Know nothing yet.

        Args:
            is_shared: Whether the cluster has another owner: then it may grow, and others may use it.
        """
        self.is_shared = is_shared
        self._others = OthersUse()
        self._told: list[Bundle] = []
        self._away: dict[str, float] = {}
        self.draining: set[str] = set()
        self.addresses: dict[str, str] = {}

    def stop_using(self, node: str) -> None:
        """Count a node of a cluster as leaving for a while: a job there was asked to stop."""
        if self.is_shared:
            self._away[node] = time.monotonic() + AWAY_S

    def nodes(self, ours: Mapping[str, Amounts]) -> list[Node]:
        """Return the nodes that are alive.

        Args:
            ours: CPUs and GPUs that this run has on nodes, by their ids.
        """
        import ray

        alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        self.addresses = {
            name: f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}" for name, node in alive.items()
        }
        total = {name: _amounts(node["Resources"]) for name, node in alive.items()}
        others = self._others.look(total, free_amounts(), ours) if self.is_shared else {}
        now, self.draining = time.monotonic(), draining_nodes()
        leaving = self.draining | {name for name, until in self._away.items() if now < until}
        return [
            Node(
                id=name,
                num_cpus=int(total[name][0]),
                num_gpus=int(total[name][1]),
                name=node["NodeManagerHostname"],
                is_leaving=name in leaving,
                others=others.get(name, (0.0, 0.0)),
                is_of_group=bool(node.get("Labels", {}).get(GROUP_LABEL)),
            )
            for name, node in alive.items()
        ]

    def ask_for(self, bundles: Iterable[Bundle]) -> None:
        """Tell an autoscaler, if there is one, what the cluster should hold at a time.

        Ray keeps one such request: of two runs, the last one counts.
        """
        wanted = list(bundles)
        if not self.is_shared or wanted == self._told:
            return
        from ray.autoscaler.sdk import request_resources

        self._told = wanted
        request_resources(bundles=wanted)


def free_amounts() -> dict[str, Amounts]:
    """Return what nobody uses of each node, by its id; nothing where this Ray does not tell."""
    import ray

    # There is no public door to it.
    with contextlib.suppress(AttributeError, ImportError):
        return {
            name: _amounts(free) for name, free in ray._private.state.available_resources_per_node().items()
        }
    return {}


def draining_nodes() -> set[str]:
    """Return the ids of nodes that are drained, as before a spot instance is taken back."""
    import ray

    # There is no public door to it.
    with contextlib.suppress(AttributeError, ImportError):
        return set(ray._private.state.state.get_draining_nodes())
    return set()


def _amounts(resources: Mapping[str, Any]) -> Amounts:
    return float(resources.get("CPU", 0)), float(resources.get("GPU", 0))
