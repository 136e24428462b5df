"""The records of a robustness job: over all conditions, per corruption, and per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.facets import Facets
from lsbench.core.record import Record, measured
from lsbench.engine.intervals import interval_of
from lsbench.robustness.errors import Condition, ErrorTable
from lsbench.robustness.reference import Reference

Wrong = NDArray[np.bool_]
"""For each image, True if the prediction was wrong, shape ``(N,)``."""


def corruption_records(
    clean: Wrong,
    wrong: Mapping[Condition, Wrong],
    conditions: Sequence[Condition],
    *,
    reference: Reference | None,
    facets: Facets,
    dataset: str,
    setting: dict[str, Any],
) -> list[Record]:
    """Return all records; a value that needs a missing condition is None.

    Args:
        clean: Wrong predictions on the images without corruption.
        wrong: The same per measured condition, for the same images in the same order.
        conditions: All conditions that were requested.
        reference: The reference that errors are divided by.
        facets: Facets of the values over all conditions; values of a part add their own.
        dataset: Name of the variant's data set.
        setting: Stored with the values over all conditions.
    """

    def record(metric: str, values: NDArray[Any] | None, facets: Facets, setting: dict[str, Any]) -> Record:
        where: dict[str, Any] = {"facets": facets, "dataset": dataset, "setting": setting}
        if values is None:
            return measured(metric, None, **where)
        return measured(metric, float(values.mean()), n=len(values), **interval_of(values), **where)

    shares = {condition: of_condition.astype(np.float64) for condition, of_condition in wrong.items()}
    table = ErrorTable(shares, clean.astype(np.float64), conditions, reference)
    whole = {
        "mce": table.mce(),
        "relative_mce": table.relative_mce(),
        "corruption_error": table.mean_error(),
        "clean_error": clean,
    }
    found = [record(metric, values, facets, setting) for metric, values in whole.items()]
    for corruption in dict.fromkeys(name for name, _ in conditions):
        where = facets.of_corruption(corruption)
        of_one = {
            "ce": table.ce(corruption),
            "relative_ce": table.relative_ce(corruption),
            "corruption_error": table.mean_error(corruption),
        }
        found += [record(metric, values, where, {}) for metric, values in of_one.items()]
    for corruption, severity in conditions:
        where = facets.of_corruption(corruption, severity)
        found.append(record("corruption_error", wrong.get((corruption, severity)), where, {}))
    return found
