"""A judgement as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lsbench.gate._text import HEADER, row_texts
from lsbench.gate.judge import Judgement
from lsbench.gate.verdict import Finding, Verdict

#: What XML 1.0 cannot hold.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(judgement: Judgement) -> str:
    """Return one test case per row: a regression fails, what is inconclusive is an error."""
    name = _clean(f"lsbench gate {judgement.suite} ({judgement.preset})")
    counts = {
        "tests": str(len(judgement.findings)),
        "failures": str(judgement.count(Verdict.REGRESSED)),
        "errors": str(judgement.count(Verdict.INCONCLUSIVE)),
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
    kind = {Verdict.REGRESSED: "failure", Verdict.INCONCLUSIVE: "error"}.get(finding.verdict)
    if kind is None:
        ElementTree.SubElement(case, "system-out").text = text
        return
    attributes = {"type": str(finding.verdict), "message": _clean(finding.reason)}
    ElementTree.SubElement(case, kind, attributes).text = text


def _clean(text: str) -> str:
    return FORBIDDEN.sub("", text)
