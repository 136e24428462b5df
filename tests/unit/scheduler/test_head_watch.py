import socket

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler.head_watch import PATIENCE_S, HeadWatch


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def head():
    """A socket that listens, as a head does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(head):
    return "{}:{}".format(*head.getsockname())


def test_a_head_that_answers_is_there(head):
    watch = HeadWatch(address_of(head))
    assert watch.answers()
    assert not watch.is_gone


def test_a_head_may_be_away_for_a_while_and_not_longer(head):
    clock, address = Clock(), address_of(head)
    watch = HeadWatch(address, clock=clock)
    head.close()
    for seconds in (100.0, 100.0 + PATIENCE_S - 1):
        clock.seconds = seconds
        assert not watch.answers()
        assert watch.is_gone
    clock.seconds += 1
    with pytest.raises(ClusterError, match=f"{address}: the head of the Ray cluster is gone; finished jobs"):
        watch.answers()


def test_a_restarted_head_has_its_time_again(head):
    clock, address = Clock(), head.getsockname()
    watch = HeadWatch(address_of(head), clock=clock)
    head.close()
    assert not watch.answers()
    with socket.create_server(address):
        assert watch.answers()
    clock.seconds = PATIENCE_S + 1
    assert not watch.answers()


def test_a_head_that_could_never_be_asked_is_not_missed(head):
    address = address_of(head)
    head.close()
    watch = HeadWatch(address)
    assert watch.answers()
    assert HeadWatch("somewhere").answers()
