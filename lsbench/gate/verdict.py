"""What the gate says of a row, and which exit code all of it deserves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from lsbench.core.errors import ExitCode
from lsbench.gate.compare import RowChange


class Verdict(StrEnum):
    """What became of a row since the baseline."""

    OK = "ok"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Finding:
    """A row and what the gate says of it.

    Attributes:
        compared: The row, its two sides and the evidence.
        p_value: Of the direction seen, adjusted for the number of rows (Holm); None where nothing was tested.
        reason: In words, for people.
        first: What a first measurement had said, where a second one has decided.
    """

    compared: RowChange
    verdict: Verdict
    reason: str
    p_value: float | None = None
    first: Finding | None = None


def decide(compared: RowChange, p_worse: float, p_better: float) -> Finding:
    """Return the verdict on a row.

    Regressed: the loss is clear and as large as what matters, on the machine of the baseline. Inconclusive:
    it is as large but not clear, or the samples could not have shown what matters.

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
        verdict, reason = Verdict.INCONCLUSIVE, f"too noisy to see what matters; {reason}"
    if compared.excuse is not None and verdict == Verdict.REGRESSED:
        verdict, reason = Verdict.INCONCLUSIVE, f"{compared.excuse}; {reason}"
    elif compared.excuse is not None and verdict == Verdict.IMPROVED:
        verdict, reason = Verdict.OK, f"{compared.excuse}; {reason}"
    return Finding(compared, verdict, reason, p_value)


def confirm(first: Finding, second: Finding) -> Finding:
    """Return what two measurements of a suspected regression say together: the second decides."""
    seen = f"a first measurement said {first.compared.change}, a second {second.compared.change}"
    word = "confirmed" if second.verdict == Verdict.REGRESSED else "not confirmed"
    return replace(second, reason=f"{word}: {seen}; {second.reason}", first=first)


def unconfirmed(first: Finding, why: str) -> Finding:
    """Return a suspected regression that has not been measured again, which alarms nobody."""
    reason = f"a loss was measured once and not again ({why}); {first.reason}"
    return replace(first, verdict=Verdict.INCONCLUSIVE, reason=reason)


def unalarmed(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings that alarm nobody about a timing that was measured once: another night may differ.

    What images say is the same whenever they are looked at, and stays a regression.
    """
    return [
        unconfirmed(finding, "--no-run")
        if finding.verdict == Verdict.REGRESSED and finding.compared.rule.is_timing
        else finding
        for finding in findings
    ]


def exit_code(findings: Iterable[Finding], *, jobs_failed: bool) -> ExitCode:
    """Return the exit code of a gate: a confirmed regression counts most, then failed jobs, then doubt."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.REGRESSED in verdicts:
        return ExitCode.REGRESSION
    if jobs_failed:
        return ExitCode.JOBS_FAILED
    if Verdict.INCONCLUSIVE in verdicts:
        return ExitCode.INCONCLUSIVE
    return ExitCode.OK if verdicts else ExitCode.NOTHING_MEASURED
