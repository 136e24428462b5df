"""Match the rows of the baseline with the current rows, and judge each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lsbench.core.counted import counted
from lsbench.core.errors import NothingMeasuredError
from lsbench.gate.compare import RowChange, compare_rows
from lsbench.gate.measurement import GateRow, RowKey
from lsbench.gate.verdict import Finding, Verdict, decide
from lsbench.stats.paired import holm
from lsbench.stats.shifts import Evidence
from lsbench.suite.gate import GateRule


@dataclass(frozen=True)
class Judgement:
    """The gate's judgement of a suite.

    Attributes:
        commit: Commit of the measured code.
        findings: One per row, in the order of rules and rows.
        judged: Commit of the repository in which the gate runs; None if unknown or lsbench's own.
        notes: Lines to show below the findings.
        trends: A sparkline of the last nights of each row; empty without a history.
    """

    suite: str
    preset: str
    commit: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    trends: Mapping[RowKey, str] = field(default_factory=dict)
    judged: str | None = None

    @property
    def suspects(self) -> tuple[Finding, ...]:
        """Regressions that a second measurement could refute: all but those of exact metrics."""
        return tuple(
            finding
            for finding in self.findings
            if finding.verdict == Verdict.REGRESSED and not finding.compared.rule.is_exact
        )

    def count(self, verdict: Verdict) -> int:
        """Return the number of rows with a verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)


def judge(baseline: Iterable[GateRow], now: Iterable[GateRow], rules: Sequence[GateRule]) -> list[Finding]:
    """Return a finding for each row of either side.

    A row that one side lacks is inconclusive; it is never dropped silently.

    Args:
        baseline: Rows of the baseline.
        now: Rows of the current results.
        rules: The rules; rows of other metrics are ignored.

    Raises:
        NothingMeasuredError: If the two sides have no row in common.
    """
    old = {row.key: row for row in baseline}
    new = {row.key: row for row in now}
    if not any(row.metric in {rule.metric for rule in rules} for row in old.keys() & new.keys()):
        raise NothingMeasuredError(_nothing_matched(old, new, rules))
    findings: list[Finding] = []
    for rule in rules:
        keys = [key for key in dict.fromkeys([*old, *new]) if key.metric == rule.metric]
        matched = [(old[key], new[key]) for key in keys if key in old and key in new]
        findings += _verdicts(rule, compare_rows(rule, matched))
        for key in keys:
            if key not in old or key not in new:
                row = old.get(key) or new[key]
                barrier = _missing(key, old.keys(), new.keys())
                empty = RowChange(key, row.title, rule, *_means(old.get(key), new.get(key)), barrier=barrier)
                findings.append(decide(empty, 1.0, 1.0))
        if not keys:
            findings.append(decide(_never_measured(rule), 1.0, 1.0))
    return findings


def _verdicts(rule: GateRule, compared: Sequence[RowChange]) -> list[Finding]:
    """Judge the rows of one rule together; p values are adjusted for the number of rows."""
    tested = [one.evidence for one in compared if one.evidence is not None]
    adjusted = iter(zip(*_adjusted(tested), strict=True))
    return [
        decide(one, 1.0, 1.0) if one.evidence is None else decide(one, *next(adjusted)) for one in compared
    ]


def _adjusted(tested: Sequence[Evidence]) -> tuple[list[float], list[float]]:
    return holm([found.p_worse for found in tested]), holm([found.p_better for found in tested])


def _means(old: GateRow | None, new: GateRow | None) -> tuple[float | None, float | None]:
    return None if old is None else old.mean, None if new is None else new.mean


def _missing(key: RowKey, old: Iterable[RowKey], new: Iterable[RowKey]) -> str:
    """Say which side lacks a row, and whether it has the row under another protocol or data set."""
    old, new = set(old), set(new)
    lacking, side = (old, "the baseline") if key in new else (new, "the results")
    others = [other for other in lacking if other[:2] == key[:2]]
    if not others:
        return f"{side} lacks this row" if key in new else f"{side} lack this row"
    has = "has" if key in new else "have"
    return f"{side} {has} it measured differently: {others[0].protocol} instead of {key.protocol}"


def _never_measured(rule: GateRule) -> RowChange:
    barrier = "neither the baseline nor the results have this metric: no job of the suite measures it"
    return RowChange(RowKey("all", rule.metric, "", None), "all", rule, barrier=barrier)


def _nothing_matched(
    old: dict[RowKey, GateRow], new: dict[RowKey, GateRow], rules: Sequence[GateRule]
) -> str:
    metrics = ", ".join(rule.metric for rule in rules)
    return (
        f"the baseline ({counted(len(old), 'row')}) and the results ({counted(len(new), 'row')}) "
        f"share no row of {metrics}; "
        "run the suite, or write a new baseline with --update-baseline"
    )
