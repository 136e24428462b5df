"""The words of a judgement: the same in every format."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.core.quantity import quantity
from lsbench.gate.compare import RowChange
from lsbench.gate.judge import Judgement
from lsbench.gate.verdict import Finding, Verdict

HEADER = ("verdict", "variant", "metric", "baseline", "now", "change", "interval", "p", "why")


def headline(judgement: Judgement) -> str:
    """Return the result in one line.

    >>> headline(Judgement("nightly", "default", "abc", ()))
    'nightly (default): nothing compared'
    """
    counts = [(verdict, judgement.count(verdict)) for verdict in reversed(Verdict)]
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    return f"{judgement.suite} ({judgement.preset}): {told or 'nothing compared'}"


def table_texts(judgement: Judgement, findings: Sequence[Finding]) -> tuple[list[str], list[list[str]]]:
    """Return the titles and the cells of a table of some findings; with a history, their trends too."""
    rows = [row_texts(finding) for finding in findings]
    if not judgement.trends:
        return list(HEADER), rows
    shown = [judgement.trends.get(finding.compared.key, "") for finding in findings]
    return [*HEADER, "trend"], [[*row, trend] for row, trend in zip(rows, shown, strict=True)]


def row_texts(finding: Finding) -> list[str]:
    """Return the cells of one row, in the order of :data:`HEADER`."""
    compared = finding.compared
    return [
        str(finding.verdict),
        compared.title,
        _metric(compared),
        _value(compared.before, compared),
        _value(compared.after, compared),
        compared.change,
        _interval(compared),
        "" if finding.p_value is None or compared.rule.is_exact else f"{finding.p_value:.2g}",
        finding.reason,
    ]


def _metric(compared: RowChange) -> str:
    dataset = compared.key.dataset
    title = quantity(compared.key.metric).title
    return (
        title if compared.rule.is_timing or compared.rule.is_exact or not dataset else f"{title}, {dataset}"
    )


def _value(value: float | None, compared: RowChange) -> str:
    shown = quantity(compared.key.metric)
    return "-" if value is None else f"{value * shown.scale:.{shown.digits}f}"


def _interval(compared: RowChange) -> str:
    """Return the interval of the change, its ends ordered as numbers."""
    found = compared.evidence
    if found is None or found.low is None or found.high is None or compared.rule.is_exact:
        return ""
    low, high = found.low, found.high
    if compared.rule.is_timing:
        return f"[{100 * low:+.1f}, {100 * high:+.1f}] %"
    if compared.rule.direction == "higher":
        low, high = -high, -low
    shown = quantity(compared.key.metric)
    return "[" + ", ".join(f"{end * shown.scale + 0.0:+.{shown.digits}f}" for end in (low, high)) + "]"
