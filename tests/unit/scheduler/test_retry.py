import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbench.core.plain_text import hidden_character
from lsbench.scheduler.retry import RETRIED, needs_node_alone, one_line, should_retry


@pytest.mark.parametrize("error_class", ["worker_lost", "timeout"])
def test_failures_of_the_machine_are_tried_again_as_often_as_allowed(error_class):
    decisions = [should_retry(error_class, failures=[error_class] * n, max_retries=2) for n in (1, 2, 3)]
    assert decisions == [True, True, False]
    assert not should_retry(error_class, failures=[error_class], max_retries=0)


@pytest.mark.parametrize("error_class", ["ValueError", "ConfigError", "ArithmeticError", ""])
def test_a_jobs_own_error_repeats_and_is_not_tried_again(error_class):
    assert not should_retry(error_class, failures=[error_class], max_retries=9)


def test_memory_may_run_out_once():
    assert should_retry("oom", failures=["oom"], max_retries=5)
    assert should_retry("oom", failures=["timeout", "oom"], max_retries=5)
    assert not should_retry("oom", failures=["oom", "timeout", "oom"], max_retries=5)
    assert not should_retry("oom", failures=["oom"], max_retries=0)


def test_only_memory_asks_for_a_node_of_its_own():
    assert needs_node_alone(["timeout", "oom"])
    assert not needs_node_alone(["timeout", "worker_lost"])
    assert not needs_node_alone([])


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ({"error_class": "ValueError", "message": "first\nsecond"}, "ValueError: first"),
        ({"error_class": "timeout"}, f"timeout: {RETRIED['timeout']}"),
        ({"error_class": "KeyError", "message": None}, "KeyError: failed"),
        ({"error_class": "KeyError", "message": "  "}, "KeyError: no message"),
    ],
)
def test_an_end_is_one_line(end, line):
    assert one_line(end) == line


def test_a_lost_node_is_no_fault_of_the_job():
    assert should_retry("node_lost", failures=["node_lost"] * 9, max_retries=0)
    assert should_retry("timeout", failures=["node_lost", "node_lost", "timeout"], max_retries=1)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=30), st.integers(1, 10**5))
def test_any_message_becomes_one_short_line_that_can_be_stored_and_shown(text, times):
    line = one_line({"error_class": "ValueError", "message": text * times})
    assert line.startswith("ValueError: ")
    assert line.splitlines() == [line]
    assert hidden_character(line) is None
    assert len(line.encode()) < 4200
