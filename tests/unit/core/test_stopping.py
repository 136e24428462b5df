import os
import signal
import threading

import pytest

from lsbench.core.errors import PreemptedError
from lsbench.core.stopping import (
    heeding_stop,
    holding_off_stop,
    is_asked_to_stop,
    raise_if_asked_to_stop,
    stopping_at_once,
)


def ask():
    """Ask this process to stop; Python calls the handler before the next line."""
    signal.raise_signal(signal.SIGTERM)


def stopped(work):
    """Run work in a block that heeds the request, which ends it."""
    with heeding_stop():
        work()


def test_a_job_with_nothing_to_save_ends_at_once():
    reached = []

    def work():
        ask()
        reached.append("after")

    with pytest.raises(PreemptedError, match="SIGTERM"):
        stopped(work)
    assert reached == []


def test_work_that_holds_the_request_off_sees_it_and_goes_on():
    seen = []

    def work():
        with holding_off_stop():
            seen.append(is_asked_to_stop())
            ask()
            seen.append(is_asked_to_stop())

    with pytest.raises(PreemptedError):
        stopped(work)
    assert seen == [False, True]


def test_a_part_of_such_work_may_end_at_once():
    reached = []

    def part():
        with stopping_at_once():
            ask()
            reached.append("never")

    def work():
        with holding_off_stop():
            try:
                part()
            except PreemptedError:
                reached.append("saved")
                ask()  # a second request does not interrupt the saving
                reached.append("whole")
                raise

    with pytest.raises(PreemptedError):
        stopped(work)
    assert reached == ["saved", "whole"]


def test_a_request_that_came_before_such_a_part_ends_it_before_it_begins():
    reached = []

    def work():
        with holding_off_stop():
            ask()
            with stopping_at_once():
                reached.append("never")

    with pytest.raises(PreemptedError):
        stopped(work)
    assert reached == []


def test_a_request_is_passed_on_to_those_who_do_the_work():
    asked = []

    def work():
        with holding_off_stop(lambda: asked.append("rank 0")):
            ask()
            asked.append("after")

    with pytest.raises(PreemptedError):
        stopped(work)
    assert asked == ["rank 0", "after"]


def test_a_second_request_does_not_interrupt_the_end_after_the_first():
    with heeding_stop():
        with pytest.raises(PreemptedError):
            ask()
        ask()


def test_nothing_is_left_of_a_block():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(PreemptedError):
        stopped(ask)
    assert signal.getsignal(signal.SIGTERM) is before
    with heeding_stop():
        raise_if_asked_to_stop()
        assert not is_asked_to_stop()


def test_a_fork_leaves_the_end_to_the_process_that_was_asked():
    with heeding_stop():
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ask()
                code = 0 if not is_asked_to_stop() else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_thread_changes_no_handler():
    seen = []

    def work():
        with heeding_stop():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
