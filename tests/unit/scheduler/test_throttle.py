import pytest

from lsbench.scheduler.protocol import Event
from lsbench.scheduler.throttle import JOBS_PER_S, STEP_S, Throttle, newest, period_s, throttled


def step(number, of=1000, **more):
    return {"ev": "step", "step": number, "steps": of, **more}


def test_of_many_steps_one_a_second_passes_with_the_first_and_the_last():
    now = [0.0]
    throttle = Throttle(1.0, clock=lambda: now[0])
    passed = []
    for number in range(1, 1001):
        passed += [number] if throttle.passes(step(number)) else []
        now[0] += 0.01
    assert (passed[0], passed[-1]) == (1, 1000)
    assert 10 <= len(passed) <= 12


@pytest.mark.parametrize("event", ["epoch", "warning", "wait", "error", "back_off", "started", "exit"])
def test_what_is_no_step_always_passes(event):
    throttle = Throttle(1e9)
    assert all(throttle.passes({"ev": event}) for _ in range(3))


def test_each_part_passes_once():
    throttle = Throttle(1e9)
    events = [{"ev": "step", "what": what} for what in ("a", "a", "b", "b", "a")]
    assert [throttle.passes(event) for event in events] == [True, False, True, False, True]


def test_a_job_sends_what_passes():
    sent = []
    emit = throttled(sent.append)
    for number in range(100):
        emit(step(number))
    emit({"ev": "epoch", "epoch": 1})
    assert sent == [step(0), {"ev": "epoch", "epoch": 1}]


def test_the_more_jobs_run_the_more_rarely_each_tells_a_step():
    assert period_s(1) == STEP_S
    for count in (64, 128, 1000):
        assert count / period_s(count) == pytest.approx(JOBS_PER_S)


def test_of_a_backlog_only_the_newest_step_counts_and_nothing_else_is_lost():
    def event(job, kind, **data):
        return Event(job, kind, data)

    told = [
        event("a", "start", ev="start"),
        event("a", "progress", ev="step", step=1),
        event("b", "progress", ev="step", step=1),
        event("a", "progress", ev="step", step=2),
        event("a", "progress", ev="epoch", epoch=1),
        event("a", "progress", ev="step", step=3),
        event("a", "progress", ev="step", step=4),
        event("a", "end", ok=True),
    ]
    kept = newest(told)
    assert kept == [told[0], told[2], told[3], told[4], told[6], told[7]]
