import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbench.core.job import Resources
from lsbench.core.plain_text import hidden_character
from lsbench.scheduler.retry import RETRIED, one_line, resources_again, should_retry


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


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        (["timeout", "oom"], Resources(exclusive="node")),
        (["share_oom"], Resources(num_gpus=1)),
        (["timeout", "worker_lost", "device_error"], Resources()),
        ([], Resources()),
    ],
)
def test_only_memory_that_ran_out_asks_for_more(failures, asked):
    assert resources_again(failures) == asked


def test_a_whole_device_whose_memory_ran_out_is_not_tried_again_and_a_share_once_with_all_of_it():
    assert not should_retry("device_oom", failures=["device_oom"], max_retries=9)
    assert should_retry("share_oom", failures=["share_oom"], max_retries=9)
    assert not should_retry("share_oom", failures=["share_oom"] * 2, max_retries=9)


@pytest.mark.parametrize("error_class", ["device_error", "communication", "shared_memory"])
def test_faults_of_devices_and_networks_are_tried_again_as_often_as_allowed(error_class):
    decisions = [should_retry(error_class, failures=[error_class] * n, max_retries=1) for n in (1, 2)]
    assert decisions == [True, False]


@pytest.mark.parametrize(
    ("error_class", "again"), [("device_lost", False), ("share_oom", False), ("worker_lost", True)]
)
def test_in_the_same_place_only_those_are_tried_again_that_may_end_otherwise_there(error_class, again):
    assert should_retry(error_class, failures=[error_class], max_retries=2, stays_in_place=True) is again


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


@pytest.mark.parametrize("error_class", ["node_lost", "device_lost", "preempted", "crowded_out"])
def test_what_comes_from_outside_is_no_fault_of_the_job(error_class):
    assert should_retry(error_class, failures=[error_class] * 9, max_retries=0)
    assert should_retry("timeout", failures=[error_class, error_class, "timeout"], max_retries=1)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=30), st.integers(1, 10**5))
def test_any_message_becomes_one_short_line_that_can_be_stored_and_shown(text, times):
    line = one_line({"error_class": "ValueError", "message": text * times})
    assert line.startswith("ValueError: ")
    assert line.splitlines() == [line]
    assert hidden_character(line) is None
    assert len(line.encode()) < 4200
