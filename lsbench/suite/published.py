"""Check the published numbers of a suite: known metrics, in the units of records."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from lsbench.core.quantity import declarations, quantity
from lsbench.core.registry import METRICS, suggest
from lsbench.suite.problems import Location, Problems
from lsbench.suite.schema import PublishedRow


def check_published(values: Any, where: Location, problems: Problems) -> None:
    """Note each unknown metric in a ``published`` mapping, and each value that is not a required fraction.

    Args:
        values: Metric -> value, as written; malformed values are left to the schema check.
        where: Location of the mapping in the file.
        problems: Where problems are noted.
    """
    if not isinstance(values, dict):
        return
    known = {*declarations(), *METRICS.names()}
    for name, value in values.items():
        if name not in known:
            hint = suggest(name, known) or f"; there are: {', '.join(sorted(known))}"
            problems.add((*where, name), f"unknown metric '{name}'{hint}")
        elif quantity(name).unit == "fraction" and isinstance(value, (int, float)) and value > 1:
            problems.add((*where, name), f"expected a fraction in [0, 1], found {value}")


def published_rows(data: dict[str, Any], problems: Problems) -> tuple[PublishedRow, ...]:
    """Return the rows that a suite shows but cannot run; malformed ones are left to the schema check."""
    rows: list[PublishedRow] = []
    entries = data.get("published_only")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        where = ("published_only", index)
        try:
            row = PublishedRow.model_validate(entry)
        except ValidationError:
            continue
        check_published(row.published, (*where, "published"), problems)
        if row.name in {other.name for other in rows}:
            problems.add((*where, "name"), f"duplicate row '{row.name}'")
        rows.append(row)
    return tuple(rows)
