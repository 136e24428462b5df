"""The driver's job folders, reached through Ray by nodes that do not see them.

An actor on the driver's node reads and writes them, so that the driver itself has nothing to do with it.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

from lsbench.core.errors import ClusterError, LsbenchError
from lsbench.scheduler.driver_files import DriverFiles
from lsbench.store.results import MARK

#: Seconds for which the actor may be out of reach: it starts again when its process has died.
PATIENCE_S = 60.0
RETRY_S = 1.0
#: Calls that the actor takes at a time.
CALLS = 16


class SharedFiles:
    """Offers the files of one results folder to all nodes of a cluster."""

    def __init__(self, root: Path, token: str, *, is_local: bool) -> None:
        """Mark the folder and, on a cluster, start the actor.

        Args:
            root: The results folder.
            token: Identifies the run.
            is_local: Whether all nodes are on this machine, and so see the folder.

        Raises:
            ClusterError: If the cluster's node on this machine does not see the folder.
            OSError: If the folder cannot be written.
        """
        self._mark = root / f"{MARK}{token}"
        self._actor: Any = None
        self._attempts = itertools.count(time.time_ns())
        #: What a node needs to know to see whether it sees the folder.
        self.place = {"root": str(root), "mark": self._mark.name, "actor": f"lsbench-files-{token}"}
        root.mkdir(parents=True, exist_ok=True)
        self._mark.touch()
        if not is_local:
            self._start_actor(root)

    def _start_actor(self, root: Path) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        create = ray.remote(DriverFiles).options(
            name=self.place["actor"],
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=CALLS,
            scheduling_strategy=here,
        )
        self._actor = create.remote(str(root))
        if not ray.get(self._actor.has.remote(self._mark.name)):
            raise ClusterError(
                f"{root}: Ray on this machine does not see the results folder; start it where the folder is "
                "mounted, or choose another with --results DIR"
            )

    def for_job(self) -> dict[str, Any]:
        """Return what is added to the request of a new attempt at a job."""
        return {} if self._actor is None else {"place": {**self.place, "attempt": next(self._attempts)}}

    def close(self) -> None:
        """Remove the mark; the actor ends with the driver."""
        self._mark.unlink(missing_ok=True)


class FarFiles:
    """Calls the actor from another node."""

    def __init__(self, name: str) -> None:
        """Look the actor up by its name."""
        import ray

        self._actor = ray.get_actor(name)

    def __call__(self, method: str, *words: Any) -> Any:
        """Call a method of :class:`DriverFiles` and return what it returns.

        Raises:
            LsbenchError: As the method does.
            OSError: As the method does.
        """
        import ray

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ray.get(getattr(self._actor, method).remote(*words))
            except ray.exceptions.ActorUnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, LsbenchError | OSError):
                    raise error.cause from None
                raise
