import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler.head_watch import PATIENCE_S, HeadWatch, while_head_answers


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


def gone():
    raise ClusterError("the head is gone")


def test_work_inside_of_ray_ends_when_the_head_is_gone():
    started = time.monotonic()
    with pytest.raises(ClusterError, match="the head is gone"), while_head_answers(gone, every_s=0.01):
        time.sleep(30)
    assert time.monotonic() - started < 10


def test_work_goes_on_while_the_head_answers_and_ctrl_c_stays_one():
    asked = []
    with while_head_answers(lambda: asked.append(1), every_s=0.01):
        time.sleep(0.2)
    assert asked
    with pytest.raises(KeyboardInterrupt), while_head_answers(lambda: None, every_s=0.01):
        raise KeyboardInterrupt


@pytest.mark.parametrize("error", [None, RuntimeError("Ray noticed it, too")])
def test_the_interrupt_never_comes_after_the_work(monkeypatch, error):
    """It may be under way while Ray's code, which heeds no signal, comes to its own end."""
    late = []

    def kill(thread, number):
        late.append(threading.Timer(0.1, os.kill, [os.getpid(), number]))
        late[0].start()

    def work():
        while not late:
            time.sleep(0.01)
        if error is not None:
            raise error

    monkeypatch.setattr(signal, "pthread_kill", kill)
    with pytest.raises(ClusterError, match="the head is gone"), while_head_answers(gone, every_s=0.01):
        work()
    late[0].join()


STUCK = """
import time
from lsbench.core.errors import ClusterError
from lsbench.scheduler import head_watch
def gone():
    raise ClusterError("the head is gone")
def leave():
    print("left", flush=True)
    raise OSError
with head_watch.while_head_answers(gone, every_s=0.01, stop_s=0.1, before_exit=leave):
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


def test_work_that_cannot_be_interrupted_ends_before_ray_ends_it():
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "left\n", "lsbench: the head is gone\n")
