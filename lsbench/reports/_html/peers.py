"""Published numbers for the background of charts."""

from __future__ import annotations

from functools import cache
from typing import Any

from lsbench.core.errors import LsbenchError
from lsbench.suite.loader import find_suite
from lsbench.suite.overlay import read_suite
from lsbench.tables.summary import Summary

#: The suite of the paper's comparison, and its data set.
PAPER_TABLE, PAPER_DATASET = "paper/table1", "imagenet"


def peers(summary: Summary) -> dict[str, Any]:
    """Return the published points of a summary: ``{"source", "points": [[title, metric -> value]]}``.

    These are the suite's own published numbers. A suite on ImageNet without any gets the paper's Table 1;
    numbers on other data sets would not be comparable.
    """
    own = [column for column in summary.columns if column.is_published]
    if own:
        points = [
            [row.title, {c.quantity.name: e.value for c in own if (e := row.cells[c.key].estimate)}]
            for row in summary.rows
        ]
        return {"source": "published", "points": [point for point in points if point[1]]}
    if any(column.dataset == PAPER_DATASET and not column.is_on_other_data for column in summary.columns):
        return _paper()
    return {"source": "", "points": []}


@cache
def _paper() -> dict[str, Any]:
    """Return the paper's Table 1 from the shipped suite; no points if the suite is missing."""
    try:
        suite = read_suite(find_suite(PAPER_TABLE))
    except LsbenchError:
        return {"source": "", "points": []}
    rows = [*suite.get("variants", ()), *suite.get("published_only", ())]
    points = [[row.get("label") or row.get("name"), row["published"]] for row in rows if row.get("published")]
    return {"source": str(suite.get("source", "published")), "points": points}
