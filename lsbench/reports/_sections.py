"""The sections that follow the table of a summary in reports for people, in order."""

from __future__ import annotations

from collections.abc import Iterator

from lsbench.rendering.cells import heading
from lsbench.reports._analyses import analyses_table
from lsbench.reports._comparisons import comparison_table
from lsbench.reports._nights import nights_table
from lsbench.reports._robustness import robustness_table
from lsbench.reports._training import training_table
from lsbench.tables.summary import Summary

SECTIONS = {
    "comparisons": comparison_table,
    "robustness": robustness_table,
    "analyses": analyses_table,
    "training": training_table,
    "gate": nights_table,
}


def sections(summary: Summary) -> Iterator[tuple[str, list[str], list[list[str]], list[str]]]:
    """Yield heading, titles of columns, rows and notes of each section that has something to show."""
    for name, table in SECTIONS.items():
        found = table(summary)
        if found is not None:
            yield f"{heading(summary)}: {name}", *found
