"""Notice that the head of a Ray cluster is gone, before Ray does.

After a minute without its head, Ray ends the process that uses it, without a way out and with exit code 1.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from lsbench.core.errors import ClusterError
from lsbench.scheduler.local_ray import check_reachable

PATIENCE_S = 20.0
#: Time between two questions while the main thread waits for Ray, and the time it has to stop.
EVERY_S, STOP_S = 2.0, 20.0


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


@contextlib.contextmanager
def while_head_answers(
    ask: Callable[[], object],
    *,
    every_s: float = EVERY_S,
    stop_s: float | None = None,
    before_exit: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Interrupt the work of the main thread, which waits inside of Ray, when the head is gone.

    Args:
        ask: Raises a ClusterError if it is.
        every_s: Seconds between two questions.
        stop_s: Seconds that the work has to stop; if it does not, the process ends.
        before_exit: Called before the process ends.

    Raises:
        ClusterError: The one that `ask` raised.
    """
    gone: list[ClusterError] = []
    over, turn = threading.Event(), threading.Lock()
    sent, heard = threading.Event(), threading.Event()

    def watch() -> None:
        while not gone and not over.wait(every_s):
            try:
                ask()
            except ClusterError as error:
                gone.append(error)
        with turn:
            main = threading.main_thread().ident
            if not gone or over.is_set() or main is None:
                return
            sent.set()
            signal.pthread_kill(main, signal.SIGINT)
        if not over.wait(STOP_S if stop_s is None else stop_s):
            with contextlib.suppress(Exception):
                before_exit()
            print(f"lsbench: {gone[0]}", file=sys.stderr, flush=True)
            os._exit(int(gone[0].exit_code))  # before Ray does, with another code

    threading.Thread(target=watch, name="head watch", daemon=True).start()
    try:
        try:
            yield
        except KeyboardInterrupt:
            heard.set()
            raise
        finally:
            with turn:
                over.set()
            if sent.is_set() and not heard.is_set():
                time.sleep(STOP_S)  # until the interrupt comes, and not after the block
    except BaseException:
        if sent.is_set():
            raise gone[0] from None
        raise
