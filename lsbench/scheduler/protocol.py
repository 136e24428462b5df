"""The interfaces between the driver, the executor of its jobs, and what shows their progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from lsbench.core.job import Job, Variant
from lsbench.suite.splits import DataUse


@dataclass(frozen=True)
class Node:
    """One machine of the cluster, as the ledger sees it.

    Attributes:
        id: Names it within the cluster.
        num_cpus: All its CPUs.
        num_gpus: All its GPUs.
        name: Its name for people.
        is_leaving: True if it is about to leave, so that no job starts there.
        others: CPUs and GPUs that other programs use.
        is_of_group: True if something made it that may make more.
    """

    id: str
    num_cpus: int
    num_gpus: int = 0
    name: str = ""
    is_leaving: bool = False
    others: tuple[float, float] = (0.0, 0.0)
    is_of_group: bool = False

    @property
    def idle(self) -> Node:
        """The same node when it stays and nobody uses it."""
        return replace(self, is_leaving=False, others=(0.0, 0.0))


@dataclass(frozen=True)
class Placement:
    """The place where a job may start now: one node or, for a gang of ranks, several.

    Attributes:
        node: Id of the node; of several nodes, the one of the first rank.
        num_cpus: CPUs taken from the node; an exclusive job takes all.
        gpus: Share taken of each device of the node, by device index.
        num_devices: Devices of the node visible to the job (fewer than taken if it has the node to itself).
        num_ranks: Processes of the job on the node.
        further: The parts on other nodes, in the order of ranks.
    """

    node: str
    num_cpus: int
    gpus: dict[int, float] = field(default_factory=dict)
    num_devices: int = 0
    num_ranks: int = 1
    further: tuple[Placement, ...] = ()

    @property
    def num_gpus(self) -> float:
        """The sum of all GPU shares on the node, as requested from an executor."""
        return sum(self.gpus.values())

    @property
    def gpu_share(self) -> float:
        """The share of its device's memory that the job may take: all, unless it has a fraction of one."""
        return min(self.num_gpus, 1.0) if self.num_devices == 1 else 1.0

    @property
    def parts(self) -> tuple[Placement, ...]:
        """The parts of the placement, one per node, this node first."""
        return (replace(self, further=()), *self.further) if self.further else (self,)

    @property
    def is_gang(self) -> bool:
        """True if the job runs in several processes."""
        return sum(part.num_ranks for part in self.parts) > 1


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: ``start``, ``progress`` or ``end``."""

    job_id: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class NodeNeeds:
    """What jobs need on every node that runs them.

    Attributes:
        datasets: Settings of the data sets that lie on disk.
        data_root: Folder under which large data sets live, if given.
        wants_gpus: Whether any job gets a GPU where there is one.
        workers: Loader processes of a rank.
        batch_bytes: Size of a batch that one of them makes.
    """

    datasets: tuple[dict[str, Any], ...] = ()
    data_root: str | None = None
    wants_gpus: bool = False
    workers: int = 0
    batch_bytes: int = 0


class Executor(Protocol):
    """Runs jobs on the nodes chosen by the driver."""

    def start(self) -> None:
        """Start or join the cluster."""

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive and may get jobs."""

    def preflight(
        self, variants: Sequence[Variant], results: Path, needs: NodeNeeds, data: Sequence[DataUse] = ()
    ) -> list[str]:
        """Check every node, look at the data and build every model once; return one line per problem."""

    def submit(self, job_id: str, folder: Path, spec: str, placement: Placement, timeout_s: float) -> None:
        """Start a job; `spec` is the text of its ``spec.json``, which is written where the job runs."""

    def poll(self, timeout_s: float) -> list[Event]:
        """Return the events since the last call, waiting at most `timeout_s` for the first."""

    def hold_device(self, node: str, device: str) -> bool:
        """Keep a device from all jobs, by its id on the node; return False if it cannot be had now."""

    def free_device(self, node: str, device: str) -> None:
        """Give a device that is held to jobs again."""

    @property
    def can_grow(self) -> bool:
        """True if nodes may join that are not there yet."""

    def ask_for(self, bundles: Sequence[dict[str, float]]) -> None:
        """Tell a cluster that adds nodes what it should hold at a time: amounts by ``CPU`` and ``GPU``."""

    def close(self) -> None:
        """Stop every running job and clean up."""


class Watcher(Protocol):
    """Shows the progress of a run."""

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        """The nodes that jobs can run on, and how many may run at a time; told before the first job, too."""

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        """A job has started on a node."""

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        """A running job has reported progress."""

    def job_ended(self, job: Job, state: str, message: str) -> None:
        """A job has ended: ``ok``, ``failed``, ``retry``, ``skipped``, or ``stopped`` for a bad trial.

        The message of a job that is ok is its headline number, and else the reason.
        """

    def tick(self) -> None:
        """Called regularly, to redraw."""
