import numpy as np
import pytest

from lsbench.timing.request import Budget
from lsbench.timing.stopping import StopRule, is_steady, warm_up


def running(clock, seconds):
    """Return a pass that takes what `seconds` says for its number, at last always the same."""
    taken = iter(seconds)
    last = [None]

    def run():
        last[0] = next(taken, last[0])
        clock.go(last[0])
        return last[0]

    return run


def test_passes_are_run_until_they_no_longer_become_faster(clock):
    found = warm_up(running(clock, [3.0, 0.75, 0.625, 0.5, 0.25, 0.125]), clock, most_s=60)
    assert found.is_steady
    # 5 slow ones, then 3 windows of a tenth of a second: one pass each.
    assert found.passes == 8
    assert found.seconds == pytest.approx(5.5)


def test_a_model_that_never_settles_is_given_up_and_it_is_told(clock):
    found = warm_up(running(clock, [0.5 * 0.9**n for n in range(9)]), clock, most_s=1)
    assert not found.is_steady
    assert 1 < found.seconds - 0.5 < 1.5


def test_a_first_pass_that_compiles_for_long_leaves_the_time_for_warming_up(clock):
    found = warm_up(running(clock, [500.0, 0.125]), clock, most_s=1)
    assert found.is_steady
    assert found.passes == 4


def test_windows_differ_by_no_more_than_their_passes_do():
    noisy = [[0.9, 1.0, 1.1], [0.95, 1.05, 1.15], [0.9, 1.0, 1.1]]
    assert is_steady(noisy)
    assert not is_steady([[1.0] * 3, [1.05] * 3, [1.0] * 3])


def quiet(n):
    return np.random.default_rng(0).normal(1.0, 0.01, n)


def rule(**budget):
    return StopRule(Budget(**{"target_noise": 0.01, "min_s": 1, "max_s": 9, "min_samples": 20} | budget))


NONE_DISTURBED = np.zeros(50, bool)


@pytest.mark.parametrize(
    ("elapsed_s", "budget", "expected"),
    [
        (2, {}, "noise"),
        (0.5, {}, None),
        (2, {"target_noise": 1e-9}, None),
        (2, {"min_samples": 60}, None),
        (9, {"target_noise": 1e-9}, "time"),
        (9, {"min_samples": 60}, "time"),
        (2, {"target_noise": 1e-9, "max_samples": 50}, "samples"),
        (2, {"target_noise": 1e-9, "max_samples": 51}, None),
    ],
)
def test_it_says_why_it_stops(elapsed_s, budget, expected):
    assert rule(**budget).reason(quiet(50), NONE_DISTURBED, elapsed_s) == expected


def test_time_does_not_end_a_timing_that_has_no_interval_yet():
    assert rule().reason(quiet(5), NONE_DISTURBED[:5], 100) is None
    assert rule(min_samples=10).reason(quiet(6), NONE_DISTURBED[:6], 100) == "time"


def test_disturbed_samples_do_not_count_and_too_many_keep_it_going():
    samples = quiet(50)
    samples[:10] = 99.0
    is_disturbed = samples > 50
    assert rule().reason(samples, is_disturbed, 2) == "noise"
    assert rule(max_disturbed=0.1).reason(samples, is_disturbed, 2) is None


def test_the_noise_is_not_computed_anew_for_every_few_samples(monkeypatch):
    looks = []
    monkeypatch.setattr("lsbench.timing.stopping.relative_noise", lambda s: looks.append(len(s)) or 1.0)
    stop = rule()
    for n in range(20, 200):
        stop.reason(quiet(n), np.zeros(n, bool), 2)
    assert looks == [20, 30, 45, 68, 102, 153]
