"""A judgement for a pull request or a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from lsbench.gate._text import headline, table_texts
from lsbench.gate.judge import Judgement
from lsbench.gate.verdict import Finding, Verdict

MARKS = {
    Verdict.OK: "✅ ok",
    Verdict.IMPROVED: "🎉 improved",
    Verdict.REGRESSED: "❌ **regressed**",
    Verdict.INCONCLUSIVE: "❔ inconclusive",
}


def render(judgement: Judgement) -> str:
    """Return GitHub-flavoured Markdown: what needs a look in a table, the rest folded away."""
    calm = [finding for finding in judgement.findings if finding.verdict == Verdict.OK]
    loud = [finding for finding in judgement.findings if finding.verdict != Verdict.OK]
    lines = [f"### {_escape(headline(judgement))}", ""]
    if loud:
        lines += [*_table(judgement, loud), ""]
    if calm:
        summary = f"<details><summary>{len(calm)} ok</summary>"
        lines += [summary, "", *_table(judgement, calm), "", "</details>", ""]
    lines += [f"- {_escape(note)}" for note in judgement.notes]
    return "\n".join(lines).rstrip() + "\n"


def _table(judgement: Judgement, findings: Sequence[Finding]) -> list[str]:
    titles, rows = table_texts(judgement, findings)
    marks = [MARKS[finding.verdict] for finding in findings]
    marked = [[mark, *map(_escape, row[1:])] for mark, row in zip(marks, rows, strict=True)]
    return ["| " + " | ".join(cells) + " |" for cells in [titles, ["---"] * len(titles), *marked]]


def _escape(text: str) -> str:
    """Return `text` so that it stays text: a variant named ``<b>|x`` breaks nothing."""
    for mark in "\\|*_`~[":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.replace("<", "&lt;").replace(">", "&gt;").splitlines())
