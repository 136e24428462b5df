"""Tell of a wait before it begins, from wherever in the code it is: nobody should look at a silent screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Tell = Callable[[str], None]
#: A wait shorter than this is none.
SOON_S = 0.7

#: Those who listen in this process; the innermost hears.
_listeners: list[Tell] = []


def announce(what: str) -> None:
    """Say what this process is about to do, as it may take more than a second; nothing without a listener."""
    if _listeners:
        _listeners[-1](what)


def announced_if_long(what: str) -> AbstractContextManager[None]:
    """Say what the block does, unless it ends at once."""
    return if_longer_than(SOON_S, lambda: announce(what))


@contextmanager
def if_longer_than(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Act once, in a thread, if the block takes longer than this."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def told_to(tell: Tell, *, each_time: bool = False) -> Iterator[None]:
    """Pass waits on to `tell` during the block: each text once, or each time that it is announced.

    >>> with told_to(print):
    ...     announce("starting Ray")
    ...     announce("starting Ray")
    starting Ray
    """
    heard: set[str] = set()

    def once(what: str) -> None:
        if each_time or what not in heard:
            heard.add(what)
            tell(what)

    _listeners.append(once)
    try:
        yield
    finally:
        _listeners.remove(once)
