"""JSON in SI units and full precision: tables, protocols, notes, learning curves and all corruptions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lsbench.rendering.cells import notes_of
from lsbench.rendering.sentences import comparison_notes, sentence
from lsbench.tables.columns import FURTHER
from lsbench.tables.comparisons import to_row
from lsbench.tables.curves import Curve
from lsbench.tables.robustness import robustness_notes, to_record
from lsbench.tables.summary import Summary
from lsbench.tables.training import training_notes

SCHEMA = 1
"""Version of the document."""


def render(summaries: Sequence[Summary]) -> str:
    """Return all summaries as one JSON document; unmeasured values are null."""
    content = {"schema_version": SCHEMA, "tables": [_table(summary) for summary in summaries]}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(summary: Summary) -> dict[str, Any]:
    frame = summary.to_frame().astype(object)
    rows = frame.where(frame.notna(), None).to_dict("records")
    columns = [
        {
            "key": column.key,
            "title": column.title,
            "unit": column.quantity.unit,
            "higher_is_better": column.quantity.higher_is_better,
            "protocol": column.protocol,
            "is_published": column.is_published,
            "is_further": column.panel == FURTHER,
        }
        for column in summary.columns
    ]
    return {
        "suite": summary.suite,
        "preset": summary.preset,
        "baseline": summary.baseline,
        "smoke": summary.is_smoke,
        "columns": columns,
        "rows": rows,
        "notes": notes_of(summary, is_marked=False, is_whole=True),
        "comparisons": [{**to_row(one), "words": sentence(one)} for one in summary.comparisons],
        "comparison_notes": comparison_notes(summary.comparisons),
        "curves": [_curve(curve) for curve in summary.curves],
        "training_notes": training_notes(summary.curves),
        "corruptions": [to_record(figure) for figure in summary.corruptions],
        "robustness_notes": robustness_notes(summary.corruptions),
    }


def _curve(curve: Curve) -> dict[str, Any]:
    names = ("variant", "seed", "protocol", "metric", "lr_scale", "epochs", "values")
    return {name: getattr(curve, name) for name in names}


REPORT = render
