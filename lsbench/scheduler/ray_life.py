"""The life of the Ray of a run: started or joined, watched, started again if it is lost, and ended."""

from __future__ import annotations

import contextlib
import secrets
import sys
import tempfile
from functools import partial
from typing import Any

from psutil import Process

from lsbench.core.errors import ClusterError
from lsbench.core.lifeline import adopt_orphans
from lsbench.core.waits import announce
from lsbench.scheduler.head_watch import HeadWatch, while_head_answers
from lsbench.scheduler.local_ray import (
    Interrupts,
    are_alive,
    check_reachable,
    end_processes,
    kill_processes,
    mark_session,
    not_asked_at_the_end,
    ray_children,
    remove_dead_sessions,
    remove_session_folders,
    set_environment,
    start_watchdog,
    vital_processes,
)
from lsbench.scheduler.ray_output import quiet, silence
from lsbench.scheduler.ray_streams import first_line
from lsbench.scheduler.ray_tasks import stop_servers
from lsbench.scheduler.supervisor import begin

OBJECT_STORE_BYTES = 100 * 2**20


class RayLife:
    """A local Ray of this run's own, or a cluster's."""

    def __init__(self, address: str | None, num_cpus: int) -> None:
        """Store the settings; nothing is started.

        Args:
            address: None for a local Ray; ``"auto"`` or an address for a cluster.
            num_cpus: CPUs of a local Ray.
        """
        self.address, self.num_cpus = address, num_cpus
        #: Identifies the run on its nodes; a Ray that is started again has a new one.
        self.token = secrets.token_hex(4)
        self.may_start_again = True
        self._before: set[int] = set()
        self._head: HeadWatch | None = None
        self._interrupts = Interrupts(lambda: kill_processes(self.started()))
        self._vital: list[Process] = []

    @property
    def is_local(self) -> bool:
        """Whether the Ray is this run's own, on this machine."""
        return self.address is None

    @property
    def is_alive(self) -> bool:
        """Whether head and node of a local Ray live; of a cluster, see :attr:`is_head_gone`."""
        return are_alive(self._vital)

    @property
    def is_head_gone(self) -> bool:
        """Whether the head did not answer when it was last asked."""
        return self._head is not None and self._head.is_gone

    def head_answers(self) -> bool:
        """Return whether the head can be asked without waiting for it.

        Raises:
            ClusterError: If the head of a cluster is gone.
        """
        return self._head is None or self._head.answers()

    def start(self) -> None:
        """Start a local Ray, or join the cluster.

        Raises:
            ClusterError: If Ray does not come up in time, or the cluster cannot be joined.
        """
        announce("starting Ray on this machine" if self.is_local else f"joining Ray at {self.address}")
        check_reachable(self.address)
        set_environment(is_local=self.is_local)
        self._before = {child.pid for child in ray_children()}
        self._interrupts.take()
        if self.is_local:
            adopt_orphans()  # workers outlive a node that is killed
            remove_dead_sessions(stop_servers)
            mark_session(self.token)
            begin(self.token)
        import ray

        self._join(tries=2 if self.is_local else 1)
        self._interrupts.take()  # again, as Ray installs a handler of its own
        silence()
        self._vital = vital_processes(self.started()) if self.is_local else []
        self._head = HeadWatch(ray.get_runtime_context().gcs_address)

    def _join(self, *, tries: int) -> None:
        """Start a local Ray, again if a process of it is lost meanwhile, or join the cluster.

        Raises:
            ClusterError: If neither succeeds.
        """
        import ray

        local = {
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "num_cpus": self.num_cpus,
            # Ray counts Apple's GPU, which jobs cannot use.
            **({"num_gpus": 0} if sys.platform == "darwin" else {}),
        }
        for tries_left in reversed(range(tries)):
            # Ray adds the working folder to the workers' path; a checkout there would hide our code.
            with start_watchdog(), quiet(), contextlib.chdir(tempfile.gettempdir()):
                try:
                    with self._watched_start():
                        ray.init(
                            address=self.address or "local",
                            log_to_driver=False,
                            logging_level="ERROR",
                            **({} if self.address else local),
                        )
                    return
                except Exception as error:  # Ray raises plain ones, too
                    reason = first_line(error)
                    if not tries_left or isinstance(error, ValueError):
                        where = self.address or "a local Ray"
                        raise ClusterError(f"{where}: cannot be reached or started: {reason}") from error
            announce(f"the local Ray did not start: {reason}; starting it again")
            self._interrupts.forget()
            self._end_what_is_left()
            mark_session(self.token)

    def _watched_start(self) -> contextlib.AbstractContextManager[None]:
        """Notice that the head or node of a local Ray ends as it starts: Ray would end this process."""
        if not self.is_local:
            return contextlib.nullcontext()

        def ask() -> None:
            if not are_alive(vital_processes(self.started())):
                raise ClusterError("a process of it ended; run the same command again")

        return while_head_answers(
            ask, every_s=1.0, stop_s=5.0, before_exit=partial(self._end_what_is_left, is_stuck=True)
        )

    def started(self) -> list[Process]:
        """Return the processes that were started since the beginning of the run."""
        return [child for child in ray_children() if child.pid not in self._before]

    def give_up(self) -> None:
        """End head and node of a local Ray, which has given its only node up: it is started again."""
        kill_processes(self._vital)

    def clear_up(self) -> None:
        """End what is left of a local Ray that is not alive, once a run; then it can be started again.

        Raises:
            ClusterError: If it has ended before.
        """
        if not self.may_start_again:
            raise ClusterError(
                "the local Ray has ended twice (is memory or the disk full?); finished jobs are kept, run "
                "the same command to continue"
            )
        self.may_start_again = False
        announce("the local Ray has ended; starting it again")
        self._end_what_is_left()
        self.token = secrets.token_hex(4)

    def _end_what_is_left(self, *, is_stuck: bool = False) -> None:
        """End what is left of a local Ray whose head or node is gone: it would wait for them.

        Args:
            is_stuck: Whether this process waits inside of Ray, which cannot be shut down then.
        """
        import ray

        kill_processes(self.started())
        if not is_stuck:
            ray.shutdown()
        stop_servers(self.token)
        remove_session_folders()

    def end(self) -> None:
        """Shut a local Ray down and remove its folders, or leave the cluster; also after half a start."""
        import ray

        started = self.started() if self.is_local else []
        if self.is_local:
            stop_servers(self.token)
            kill_processes(not_asked_at_the_end(started))
        ray.shutdown()
        if self.is_local:
            end_processes(started)
            remove_session_folders()
        self._interrupts.leave()


def imported_ray() -> Any:
    """Return Ray's module, or None if its import was interrupted or never began: nothing runs then."""
    ray = sys.modules.get("ray")
    return ray if hasattr(ray, "shutdown") else None
