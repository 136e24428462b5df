import pytest

from lsbench.timing.request import Budget
from lsbench.timing.session import Session
from lsbench.timing.watch import Watch


@pytest.fixture
def run(clock, host):
    """Run a session of models, each given as (name, seconds per pass); `log` holds who ran."""

    def start(*models, log=None, on_pass=lambda: None, on_warm=lambda: None, **budget):
        def create(name, seconds):
            def one():
                clock.go(seconds)
                on_pass()
                if log is not None:
                    log.append(name)
                return seconds

            return one

        watch = Watch(host, None, max_other_cpus=0.25, clock=clock)
        settings = Budget(**{"min_s": 1, "max_s": 10, "min_samples": 20} | budget)
        timed = [create(*model) for model in models]
        return Session(timed, settings, watch, clock, on_warm=on_warm).run()

    return start


def test_a_steady_model_is_known_as_soon_as_the_least_time_is_over(run):
    reply = run(("a", 0.125))
    assert (reply.stopped_by, set(reply.seconds)) == ("noise", {0.125})
    assert 20 <= len(reply.seconds) <= 22
    assert reply.warm_up[0].is_steady
    assert not any(reply.is_disturbed)
    assert reply.passes == len(reply.seconds)


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_bounds_the_timed_passes_of_each_model(limit, run):
    alone = run(("a", 0.125), max_samples=limit, min_samples=1, min_s=0)
    assert (len(alone.seconds), alone.stopped_by) == (limit, "samples")
    pair = run(("a", 1e-3), ("b", 2e-3), max_samples=limit, min_samples=1, min_s=0)
    assert len(pair.seconds) == len(pair.control_seconds) == limit


def test_the_machine_is_judged_over_long_enough_though_a_limit_ends_the_passes_early(run, clock, host):
    seen = []
    host_reading = host.other_cpu_s

    def read():
        seen.append(clock())
        return host_reading()

    host.other_cpu_s = read
    reply = run(("a", 0.01), max_samples=1, min_samples=1, min_s=0)
    assert len(reply.seconds) == 1
    assert reply.passes >= 25
    assert seen[-1] - seen[0] >= 0.25


def test_the_warm_up_is_not_among_the_samples(run):
    log = []
    reply = run(("a", 0.125), log=log)
    assert len(log) > len(reply.seconds)
    assert reply.warm_up[0].passes == len(log) - len(reply.seconds) - 1


def test_short_passes_are_not_timed_right_after_a_look_at_the_machine(run):
    reply = run(("a", 0.01), max_samples=100, target_noise=1e-12)
    intervals = 100 / 25
    assert len(reply.seconds) == 100
    assert reply.passes == pytest.approx(100 + intervals, abs=1)


def test_a_neighbour_that_comes_and_goes_marks_its_samples_alone(run, clock, host):
    started = clock()

    def on_pass():
        host.other_cpu_s()
        host.busy = 1.0 if 3 < clock() - started < 5 else 0.0

    reply = run(("a", 0.125), on_pass=on_pass, min_s=8, max_disturbed=0.5)
    marks = "".join("x" if mark else "." for mark in reply.is_disturbed)
    assert marks.strip(".").strip("x") == "", marks
    assert marks.startswith(".")
    assert marks.endswith(".")
    assert 1.5 < marks.count("x") * 0.125 < 2.5
    assert reply.disturbed_by == {"other processes on the CPUs": marks.count("x")}


def test_a_neighbour_that_stays_takes_all_of_the_time(run, host):
    host.busy = 1.0
    reply = run(("a", 0.125))
    assert reply.stopped_by == "time"
    assert all(reply.is_disturbed)
    assert sum(reply.seconds) == pytest.approx(10, abs=0.5)


def test_two_models_take_turns_and_every_sample_is_a_pair(run):
    log = []
    reply = run(("a", 0.004), ("b", 0.002), log=log, min_s=0)
    assert len(reply.seconds) == len(reply.control_seconds) == len(reply.is_disturbed) >= 20
    assert (set(reply.seconds), set(reply.control_seconds)) == ({0.004}, {0.002})
    assert len(reply.warm_up) == 2
    # A turn lasts a hundredth of a second: 3 passes of a and 5 of b, each after one that is not timed.
    turns = "".join(log[-2 * (4 + 6) :])
    assert turns == "aaaabbbbbb" * 2


def test_long_passes_take_turns_one_by_one(run):
    log = []
    run(("a", 0.5), ("b", 0.5), log=log, min_samples=6)
    assert "".join(log).endswith("aabb" * 6)


def test_the_ratio_of_a_pair_is_what_has_to_be_known(clock, host):
    """A machine that becomes ever slower: each model alone is never known well, their ratio at once."""
    slow = [1.0]

    def passing(seconds):
        def one():
            slow[0] *= 1.002
            clock.go(seconds * slow[0])
            return seconds * slow[0]

        return one

    watch = Watch(host, None, max_other_cpus=0.25, clock=clock)
    budget = Budget(min_s=0, max_s=60, min_samples=20)
    pair = Session([passing(0.01), passing(0.01)], budget, watch, clock).run()
    slow[0] = 1.0
    alone = Session([passing(0.01)], budget, watch, clock).run()
    assert (pair.stopped_by, alone.stopped_by) == ("noise", "time")


def test_peaks_can_be_forgotten_between_the_warm_up_and_the_timed_part(run):
    log = []
    reply = run(("a", 0.125), ("b", 0.25), log=log, on_warm=lambda: log.append("warm"))
    assert log.count("warm") == 1
    place = log.index("warm")
    assert {"a", "b"} == set(log[:place])
    assert len(log[place + 1 :]) == reply.passes
