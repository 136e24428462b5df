"""The gate's verdict on each row, and the exit code that follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from lsbench.core.errors import ExitCode
from lsbench.gate.compare import RowChange


class Verdict(StrEnum):
    """The verdict on a row since the baseline."""

    OK = "ok"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Finding:
    """A row and the gate's verdict on it.

    Attributes:
        compared: The row, its two sides and the evidence.
        reason: Explanation of the verdict.
        p_value: One-sided p value of the observed direction, adjusted for the number of rows (Holm); None if
            nothing was tested.
        first: The finding of the first measurement, if a second one decided.
    """

    compared: RowChange
    verdict: Verdict
    reason: str
    p_value: float | None = None
    first: Finding | None = None


def decide(compared: RowChange, p_worse: float, p_better: float) -> Finding:
    """Return the verdict on a row.

    Regressed: the loss is significant and at least `min_effect`, on the baseline's machine. Inconclusive: the
    loss is that large but not significant, or the samples could not have revealed one.

    Args:
        compared: The row.
        p_worse: Adjusted p value of a loss.
        p_better: Adjusted p value of a gain.
    """
    evidence, rule = compared.evidence, compared.rule
    if compared.barrier is not None or evidence is None:
        return Finding(compared, Verdict.INCONCLUSIVE, compared.barrier or "nothing to compare")
    worse = evidence.worsening
    verdict, p_value = Verdict.OK, p_worse if worse >= 0 else p_better
    reason = compared.detail
    if p_worse <= rule.alpha and worse >= rule.min_effect:
        verdict = Verdict.REGRESSED
    elif p_better <= rule.alpha and -worse >= rule.min_effect:
        verdict = Verdict.IMPROVED
    elif worse >= rule.min_effect and worse > 0:
        verdict, reason = Verdict.INCONCLUSIVE, f"a loss that matters, but it may be chance; {reason}"
    elif compared.is_blind:
        verdict, reason = Verdict.INCONCLUSIVE, f"too noisy to detect a loss that matters; {reason}"
    if compared.excuse is not None and verdict == Verdict.REGRESSED:
        verdict, reason = Verdict.INCONCLUSIVE, f"{compared.excuse}; {reason}"
    elif compared.excuse is not None and verdict == Verdict.IMPROVED:
        verdict, reason = Verdict.OK, f"{compared.excuse}; {reason}"
    return Finding(compared, verdict, reason, p_value)


def confirm(first: Finding, second: Finding) -> Finding:
    """Return the joint finding of two measurements of a suspected regression: the second decides."""
    seen = f"first measured {first.compared.change}, then {second.compared.change}"
    word = "confirmed" if second.verdict == Verdict.REGRESSED else "not confirmed"
    return replace(second, reason=f"{word}: {seen}; {second.reason}", first=first)


def unconfirmed(first: Finding, why: str) -> Finding:
    """Return a suspected regression that was not measured again as inconclusive: it raises no alarm."""
    reason = f"a loss was measured once and not re-measured ({why}); {first.reason}"
    return replace(first, verdict=Verdict.INCONCLUSIVE, reason=reason)


def unalarmed(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, with regressions of timings inconclusive, since they were measured only once.

    Results on images are deterministic, so those regressions stay.
    """
    return [
        unconfirmed(finding, "--no-run")
        if finding.verdict == Verdict.REGRESSED and finding.compared.rule.is_timing
        else finding
        for finding in findings
    ]


def exit_code(findings: Iterable[Finding], *, jobs_failed: bool) -> ExitCode:
    """Return the gate's exit code: a regression comes first, then failed jobs, then inconclusive rows."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.REGRESSED in verdicts:
        return ExitCode.REGRESSION
    if jobs_failed:
        return ExitCode.JOBS_FAILED
    if Verdict.INCONCLUSIVE in verdicts:
        return ExitCode.INCONCLUSIVE
    return ExitCode.OK if verdicts else ExitCode.NOTHING_MEASURED
