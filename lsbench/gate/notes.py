"""Notes below a judgement: the code and rules behind it, and the jobs without a result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lsbench.core.counted import counted
from lsbench.core.errors import InconclusiveError, UsageError
from lsbench.gate.baseline import Baseline
from lsbench.gate.measurement import UNMEASURED, GateRow
from lsbench.gate.verdict import Finding, Verdict
from lsbench.suite.gate import GateRule

MOST_NAMED = 5
AGAIN = "run the same command again, without --no-run, when the machine is quiet: it measures that once more"
STALE = (
    "measured with different code than the current one: name another folder with --results, "
    "or accept the old numbers with --no-run"
)


def mark_stale(findings: Sequence[Finding], rows: Iterable[GateRow], code: str | None) -> list[Finding]:
    """Return the findings, with those inconclusive that were measured with different code.

    A job's id does not depend on lsbench's own code, so a results folder may hold numbers of older code.

    Args:
        findings: The findings of all rows.
        rows: The rows behind the findings.
        code: The current code.
    """
    stale = {row.key for row in _stale_rows(rows, code)}
    return [
        replace(finding, verdict=Verdict.INCONCLUSIVE, reason=STALE)
        if finding.compared.key in stale
        else finding
        for finding in findings
    ]


def _stale_rows(rows: Iterable[GateRow], code: str | None) -> list[GateRow]:
    return [row for row in rows if any(one.code != code for one in row.measurements)]


def check_complete(
    rows: Sequence[GateRow], rules: Sequence[GateRule], *, code: str | None, kept: str
) -> None:
    """Check that rows can become a baseline.

    Args:
        rows: The rows.
        rules: The rules; each needs a row.
        code: The code that must have measured the rows; None accepts any.
        kept: Remark about the old baseline, which ends each message.

    Raises:
        UsageError: If no job measures the metric of a rule.
        InconclusiveError: If a value is missing, or was measured with different code.
    """
    for rule in rules:
        if rule.metric not in {row.key.metric for row in rows}:
            raise UsageError(f"gate: no job of the suite measures '{rule.metric}'; {kept}")
    for row in rows:
        for one in row.measurements:
            if one.value is None:
                way = f"; {AGAIN}" if one.reason != UNMEASURED else ""
                raise InconclusiveError(f"{row.key}: {one.reason}; {kept}{way}")
    if code is not None and (stale := _stale_rows(rows, code)):
        raise InconclusiveError(f"{stale[0].key}: {STALE}; {kept}")


def describe(
    baseline: Baseline,
    rows: Sequence[GateRow],
    rules: Sequence[GateRule],
    not_done: Sequence[str],
    *,
    retry: str,
) -> list[str]:
    """Return the notes of a judgement.

    Args:
        baseline: The baseline of the comparison.
        rows: Tonight's rows.
        rules: Tonight's rules.
        not_done: Labels of jobs without a result.
        retry: The command that measures inconclusive timings again.
    """
    notes = [
        f"Baseline of {baseline.created_at} (lsbench {baseline.lsbench}, commit {commits(baseline.rows)}), "
        f"now commit {commits(rows)}."
    ]
    if tuple(rules) != baseline.rules:
        notes.append("The rules have changed since the baseline was written; the current ones apply.")
    if count := sum(
        one.value is None and one.reason != UNMEASURED for row in rows for one in row.measurements
    ):
        notes.append(
            f"{counted(count, 'timing was', 'timings were')} too disturbed for a value; "
            f"`{retry}` measures again."
        )
    if not_done:
        named = ", ".join(not_done[:MOST_NAMED]) + (", ..." if len(not_done) > MOST_NAMED else "")
        notes.append(f"{counted(len(not_done), 'job')} failed, due, running or waiting: {named}.")
    return notes


def commits(rows: Iterable[GateRow]) -> str:
    """Return the commits of the code that measured `rows`, as text."""
    found = {one.commit or "unknown" for row in rows for one in row.measurements}
    return ", ".join(sorted(found)) or "unknown"
