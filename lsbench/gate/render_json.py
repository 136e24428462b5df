"""A judgement as JSON, in SI units and full precision."""

from __future__ import annotations

import json
from typing import Any

from lsbench.gate.judge import Judgement
from lsbench.gate.verdict import Finding, Verdict

SCHEMA = 1


def render(judgement: Judgement) -> str:
    """Return one JSON document; what is not known is null."""
    content = {
        "schema_version": SCHEMA,
        "suite": judgement.suite,
        "preset": judgement.preset,
        "counts": {str(verdict): judgement.count(verdict) for verdict in Verdict},
        "findings": [to_row(finding) for finding in judgement.findings],
        "notes": list(judgement.notes),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_row(finding: Finding) -> dict[str, Any]:
    """Return a finding as a flat mapping; a worsening of a timing is relative, of a score absolute."""
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
