"""Notice that the head of a Ray cluster is gone, before Ray does.

After a minute without its head, Ray ends the process that uses it, without a way out and with exit code 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lsbench.core.errors import ClusterError
from lsbench.scheduler.local_ray import check_reachable

PATIENCE_S = 20.0


class HeadWatch:
    """Watches the address of a head, which may be restarted meanwhile."""

    def __init__(self, address: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask for the first time; a head that cannot be asked from here, as behind a proxy, is not watched.

        Args:
            address: Its ``host:port``.
            clock: Returns seconds.
        """
        self.address = address
        self._clock = clock
        self._gone_since: float | None = None
        self._can_ask = self._is_reachable()

    @property
    def is_gone(self) -> bool:
        """True if it did not answer when it was last asked."""
        return self._gone_since is not None

    def answers(self) -> bool:
        """Return whether it answers now.

        Raises:
            ClusterError: If it has not answered for too long.
        """
        if not self._can_ask or self._is_reachable():
            self._gone_since = None
            return True
        now = self._clock()
        self._gone_since = now if self._gone_since is None else self._gone_since
        if now - self._gone_since < PATIENCE_S:
            return False
        raise ClusterError(
            f"{self.address}: the head of the Ray cluster is gone; finished jobs are kept, run the same "
            "command to continue"
        )

    def _is_reachable(self) -> bool:
        try:
            check_reachable(self.address)
        except ClusterError:
            return False
        return True
