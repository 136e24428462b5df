import pytest

from lsbench.core.errors import ExitCode
from lsbench.gate.compare import RowChange
from lsbench.gate.measurement import RowKey
from lsbench.gate.verdict import Finding, Verdict, confirm, decide, exit_code, unalarmed
from lsbench.stats.shifts import Evidence

KEY = RowKey("ls", "latency_ratio", "p", None)


@pytest.fixture
def make(rules):
    """Return a comparison of timings with a worsening and the half width of its interval."""

    def one(worsening, half=0.005, metric="latency_ratio", **more):
        evidence = Evidence(worsening, worsening - half, worsening + half, 0.5, 0.5)
        return RowChange(KEY._replace(metric=metric), "ls", rules[metric], 1.0, 1.0, evidence, **more)

    return one


@pytest.mark.parametrize(
    ("worsening", "p_worse", "verdict"),
    [
        (0.05, 0.001, Verdict.REGRESSED),
        (0.03, 0.01, Verdict.REGRESSED),
        (0.029, 1e-9, Verdict.OK),  # clear, but under what matters
        (0.05, 0.011, Verdict.INCONCLUSIVE),  # would matter, but is not clear
        (0.0, 0.5, Verdict.OK),
        (-0.029, 1.0, Verdict.OK),
        (-0.03, 1.0, Verdict.IMPROVED),
    ],
)
def test_a_verdict_takes_a_clear_change_that_matters(worsening, p_worse, verdict, make):
    assert decide(make(worsening), p_worse, 1e-9 if p_worse == 1 else 1.0).verdict == verdict


def test_a_small_slowdown_is_told_as_what_it_is(make):
    found = decide(make(0.029), 1e-9, 1.0)
    assert (found.verdict, found.compared.change) == (Verdict.OK, "+2.9 % time")


def test_samples_that_could_not_have_shown_it_are_no_ok(make):
    found = decide(make(0.0, half=0.04), 0.5, 0.5)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert found.reason.startswith("too noisy to detect a loss that matters")
    assert decide(make(0.0, half=0.04, metric="top1"), 0.5, 0.5).verdict == Verdict.OK


def test_on_another_machine_no_timing_alarms(make):
    assert decide(make(0.5, excuse="other machine"), 0, 1).verdict == Verdict.INCONCLUSIVE
    assert decide(make(-0.5, excuse="other machine"), 1, 0).verdict == Verdict.OK
    assert decide(make(0.0, excuse="other machine"), 1, 1).verdict == Verdict.OK


def test_what_cannot_be_compared_is_inconclusive(rules):
    found = decide(RowChange(KEY, "ls", rules["latency_ratio"], barrier="no samples"), 1, 1)
    assert (found.verdict, found.reason, found.p_value) == (Verdict.INCONCLUSIVE, "no samples", None)


def test_the_second_measurement_decides(make):
    first, again = decide(make(0.05), 0, 1), decide(make(0.049), 0, 1)
    sure = confirm(first, again)
    assert (sure.verdict, sure.first) == (Verdict.REGRESSED, first)
    assert "confirmed: first measured +5.0 % time, then +4.9 % time" in sure.reason
    refuted = confirm(first, decide(make(0.0), 1, 1))
    assert refuted.verdict == Verdict.OK
    assert refuted.reason.startswith("not confirmed")


def test_a_timing_measured_once_alarms_nobody_but_images_do(make):
    timing, images = decide(make(0.05), 0, 1), decide(make(0.05, metric="top1"), 0, 1)
    assert [f.verdict for f in unalarmed([timing, images])] == [Verdict.INCONCLUSIVE, Verdict.REGRESSED]


@pytest.mark.parametrize(
    ("verdicts", "failed", "code"),
    [
        (["ok", "improved"], False, ExitCode.OK),
        (["ok", "inconclusive"], False, ExitCode.INCONCLUSIVE),
        (["regressed", "inconclusive"], True, ExitCode.REGRESSION),
        (["ok", "inconclusive"], True, ExitCode.JOBS_FAILED),
        ([], False, ExitCode.NOTHING_MEASURED),
    ],
)
def test_exit_codes_tell_the_worst(verdicts, failed, code, make):
    findings = [Finding(make(0.0), Verdict(verdict), "") for verdict in verdicts]
    assert exit_code(findings, jobs_failed=failed) == code
