"""Render a judgement as a table for the terminal, Markdown, JSON or JUnit XML, with the same texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

from rich.text import Text

from lsbench.core.quantity import quantity
from lsbench.gate.compare import RowChange
from lsbench.gate.judge import Judgement
from lsbench.gate.verdict import Finding, Verdict
from lsbench.rendering.console import table_text
from lsbench.rendering.markdown import escape, grid_lines

HEADER = ("verdict", "variant", "metric", "baseline", "now", "change", "interval", "p", "why")
NUMBERS = ("baseline", "now", "change")
#: Columns that say what a row is, variant and metric, and those before them: the verdict.
KEYS, LEAD = 2, 1
WORST_FIRST = (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.IMPROVED, Verdict.OK)
STYLES = {
    Verdict.REGRESSED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.IMPROVED: "cyan",
    Verdict.OK: "green",
}
MARKS = {
    Verdict.OK: "✅ ok",
    Verdict.IMPROVED: "🎉 improved",
    Verdict.REGRESSED: "❌ **regressed**",
    Verdict.INCONCLUSIVE: "❔ inconclusive",
}
SCHEMA = 1
#: Characters that XML 1.0 cannot hold.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def headline(judgement: Judgement) -> str:
    """Return the counts of all verdicts in one line.

    >>> headline(Judgement("nightly", "default", "abc", ()))
    'nightly (default): nothing compared'
    """
    counts = [(verdict, judgement.count(verdict)) for verdict in WORST_FIRST]
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    at = "" if judgement.judged is None else f" at {judgement.judged}"
    return f"{judgement.suite} ({judgement.preset}){at}: {told or 'nothing compared'}"


def table_texts(judgement: Judgement, findings: Sequence[Finding]) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows of a table of `findings`, with trends where there is a history."""
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
    shown = quantity(compared.key.metric)
    title = shown.short_title or shown.title
    return (
        title if compared.rule.is_timing or compared.rule.is_exact or not dataset else f"{title}, {dataset}"
    )


def _value(value: float | None, compared: RowChange) -> str:
    shown = quantity(compared.key.metric)
    return "-" if value is None else f"{value * shown.scale:.{shown.digits}f}"


def _interval(compared: RowChange) -> str:
    """Return the interval of the change, lower end first."""
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


def to_console(judgement: Judgement, *, is_styled: bool = False) -> str:
    """Return a table as wide as the terminal, the worst first.

    Args:
        judgement: The judgement.
        is_styled: True for output to a terminal, which colours the verdicts.
    """
    findings = sorted(judgement.findings, key=lambda finding: WORST_FIRST.index(finding.verdict))
    titles, rows = _narrowed(*table_texts(judgement, findings))
    cells: list[list[str | Text]] = [
        [Text(row[0], style=STYLES[finding.verdict]), *row[1:]]
        for finding, row in zip(findings, rows, strict=True)
    ]
    return table_text(
        headline(judgement),
        titles,
        cells,
        judgement.notes,
        numbers=NUMBERS,
        keys=KEYS,
        lead=LEAD,
        is_styled=is_styled,
    )


def _narrowed(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return a table with interval and p in one column: of two, a terminal has room for one."""
    place = titles.index("interval")
    merged = [
        [
            *row[:place],
            "\n".join(filter(None, [row[place], row[place + 1] and f"p {row[place + 1]}"])),
            *row[place + 2 :],
        ]
        for row in rows
    ]
    return [*titles[:place], "interval, p", *titles[place + 2 :]], merged


def to_markdown(judgement: Judgement) -> str:
    """Return GitHub-flavoured Markdown; rows that are ok are folded away."""
    calm = [finding for finding in judgement.findings if finding.verdict == Verdict.OK]
    loud = [finding for finding in judgement.findings if finding.verdict != Verdict.OK]
    lines = [f"### {escape(headline(judgement))}", ""]
    if loud:
        lines += [*_markdown_table(judgement, loud), ""]
    if calm:
        summary = f"<details><summary>{len(calm)} ok</summary>"
        lines += [summary, "", *_markdown_table(judgement, calm), "", "</details>", ""]
    lines += [f"- {escape(note)}" for note in judgement.notes]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(judgement: Judgement, findings: Sequence[Finding]) -> list[str]:
    titles, rows = table_texts(judgement, findings)
    marks = [MARKS[finding.verdict] for finding in findings]
    return grid_lines(titles, [[mark, *map(escape, row[1:])] for mark, row in zip(marks, rows, strict=True)])


def to_json(judgement: Judgement) -> str:
    """Return one JSON document; unknown values are null."""
    content = {
        "schema_version": SCHEMA,
        "suite": judgement.suite,
        "preset": judgement.preset,
        "commit": judgement.judged,
        "counts": {str(verdict): judgement.count(verdict) for verdict in Verdict},
        "findings": [to_row(finding) for finding in judgement.findings],
        "notes": list(judgement.notes),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_row(finding: Finding) -> dict[str, Any]:
    """Return a finding as a flat mapping; the worsening is relative for timings, absolute for scores."""
    compared, first = finding.compared, finding.first
    found = compared.evidence
    return {
        **compared.key._asdict(),
        "title": compared.title,
        "verdict": str(finding.verdict),
        "reason": finding.reason,
        "baseline": compared.before,
        "value": compared.after,
        "direction": compared.rule.direction,
        "min_effect": compared.rule.min_effect,
        "alpha": compared.rule.alpha,
        "worsening": None if found is None else found.worsening,
        "worsening_low": None if found is None else found.low,
        "worsening_high": None if found is None else found.high,
        "p_value": finding.p_value,
        "test": compared.test,
        "first_worsening": None
        if first is None or first.compared.evidence is None
        else first.compared.evidence.worsening,
    }


def to_junit(judgement: Judgement) -> str:
    """Return JUnit XML, one test case per row: a regression is a failure, an inconclusive row is skipped.

    GitLab and GitHub count errors as failed tests, but an inconclusive row is no alarm.
    """
    name = _clean(f"lsbench gate {judgement.suite} ({judgement.preset})")
    counts = {
        "tests": str(len(judgement.findings)),
        "failures": str(judgement.count(Verdict.REGRESSED)),
        "errors": "0",
        "skipped": str(judgement.count(Verdict.INCONCLUSIVE)),
    }
    suites = ElementTree.Element("testsuites", {"name": name, **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts})
    for finding in judgement.findings:
        _add_case(suite, finding)
    if judgement.notes:
        ElementTree.SubElement(suite, "system-out").text = _clean("\n".join(judgement.notes))
    ElementTree.indent(suites, " ")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _add_case(suite: ElementTree.Element, finding: Finding) -> None:
    key = finding.compared.key
    where = ".".join(part for part in (key.metric, key.dataset) if part)
    case = ElementTree.SubElement(
        suite, "testcase", {"classname": _clean(where), "name": _clean(key.variant)}
    )
    told = "\n".join(
        f"{title}: {cell}" for title, cell in zip(HEADER, row_texts(finding), strict=True) if cell
    )
    text = _clean(f"{told}\nprotocol: {key.protocol}")
    kind = {Verdict.REGRESSED: "failure", Verdict.INCONCLUSIVE: "skipped"}.get(finding.verdict)
    if kind is None:
        ElementTree.SubElement(case, "system-out").text = text
        return
    attributes = {"type": str(finding.verdict), "message": _clean(finding.reason)}
    ElementTree.SubElement(case, kind, attributes).text = text


def _clean(text: str) -> str:
    return FORBIDDEN.sub("", text)


#: The formats of a judgement, by name.
RENDERERS: dict[str, Callable[[Judgement], str]] = {
    "console": to_console,
    "markdown": to_markdown,
    "json": to_json,
    "junit": to_junit,
}
