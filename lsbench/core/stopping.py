"""A request that this process ends soon: SIGTERM, as sent before a node goes away or a time limit is over.

A job that has nothing to save ends at once. Work that can be saved holds the request off, looks for it where
its state is whole, saves, and ends then.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lsbench.core.errors import PreemptedError

#: Seconds that a process has from the request to its end, before it is killed.
GRACE_S = 60.0


class _Request:
    """The request to this process, if there is one."""

    def __init__(self) -> None:
        self.is_asked = False
        self.is_held_off = False
        self.pid = 0
        self.arrived: socket.socket | None = None
        self.pass_on: Callable[[], None] | None = None

    def take(self, *_: object) -> None:
        """Take SIGTERM. A fork of this process, as loaders of data are, leaves the end to this one."""
        if os.getpid() != self.pid:
            return
        is_first, self.is_asked = not self.is_asked, True
        if self.pass_on is not None:
            self.pass_on()
        if is_first and not self.is_held_off:  # a second request does not interrupt what follows the first
            raise_if_asked_to_stop()


_request = _Request()


def is_asked_to_stop() -> bool:
    """Return whether this process has been asked to end soon."""
    return _request.is_asked


def has_stop_arrived() -> bool:
    """Return whether the request has arrived, for another thread: the main one may be in a long call of C."""
    if _request.is_asked or _request.arrived is None:
        return _request.is_asked
    try:
        return signal.SIGTERM in _request.arrived.recv(4096, socket.MSG_PEEK)
    except OSError:
        return False


def raise_if_asked_to_stop() -> None:
    """Raise if this process has been asked to end soon.

    Raises:
        PreemptedError: If it has.
    """
    if _request.is_asked:
        raise PreemptedError("asked to stop (SIGTERM), as before its node goes away; it goes on elsewhere")


@contextmanager
def heeding_stop() -> Iterator[None]:
    """Take SIGTERM as the request, during the block; in the main thread, and outside of it nothing is done.

    Raises:
        PreemptedError: Anywhere in the block where the request is not held off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _request.is_asked, _request.is_held_off, _request.pid = False, False, os.getpid()
    before = signal.signal(signal.SIGTERM, _request.take)
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)
    _request.arrived = read
    woken_before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_before)
        signal.signal(signal.SIGTERM, before)
        _request.is_asked, _request.arrived = False, None
        read.close()
        write.close()


@contextmanager
def holding_off_stop(pass_on: Callable[[], None] | None = None) -> Iterator[None]:
    """Only note the request during the block, whose work looks for it and ends by itself.

    Args:
        pass_on: Called when the request comes, to ask others who do the work.

    Raises:
        PreemptedError: At the end, if the request has come meanwhile and the block did not look for it.
    """
    before = _request.is_held_off, _request.pass_on
    _request.is_held_off, _request.pass_on = True, pass_on
    try:
        yield
    finally:
        _request.is_held_off, _request.pass_on = before
    if not _request.is_held_off:
        raise_if_asked_to_stop()


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Let the request end the block at once, inside of one that holds it off.

    Raises:
        PreemptedError: Anywhere in the block, and before it if the request has come already.
    """
    before = _request.is_held_off
    _request.is_held_off = False
    try:
        raise_if_asked_to_stop()
        yield
    finally:
        _request.is_held_off = before
