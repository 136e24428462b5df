"""Choose the columns of a summary: one per metric, protocol and data set; two of them never share one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lsbench.core.units import quantity
from lsbench.tables.cells import Column


@dataclass(frozen=True)
class Shown:
    """How a metric is shown.

    Attributes:
        kind: The kind of job that measures it.
        is_compared: Whether a column of differences to the baseline stands beside it.
    """

    kind: str
    is_compared: bool = False


#: Metrics shown, in this order.
SHOWN = {
    "top1": Shown("evaluate", is_compared=True),
    "params": Shown("profile"),
    "macs": Shown("profile"),
    "latency_ms": Shown("profile"),
    "throughput": Shown("profile"),
}


def create_columns(table: pd.DataFrame, jobs: Sequence[dict[str, Any]]) -> list[Column]:
    """Return the columns of a suite's summary.

    A metric that no job kind of the suite measures has no column; one that nobody has measured yet has one
    without a protocol.

    Args:
        table: The suite's long table.
        jobs: Every expected job, as the manifest lists them.
    """
    kinds = {entry["kind"] for entry in jobs}
    found: list[Column] = []
    for metric, shown in SHOWN.items():
        if shown.kind in kinds:
            rows = table[(table.metric == metric).fillna(False)]
            found += _with_deltas(_of_metric(metric, rows) or [Column(metric, quantity(metric), "")])
    return found


def _of_metric(metric: str, rows: pd.DataFrame) -> list[Column]:
    datasets = [None] * len(rows) if SHOWN[metric].kind == "profile" else rows.dataset
    ways: dict[tuple[str, str | None], set[str]] = {}
    for protocol, dataset, job in zip(rows.protocol, datasets, rows.job, strict=True):
        ways.setdefault((protocol, dataset), set()).add(job)
    columns = []
    for number, ((protocol, dataset), names) in enumerate(ways.items()):
        column = Column(metric, quantity(metric), protocol, dataset, frozenset(names))
        column = replace(column, remark=f" [{column.way}]" if len(ways) > 1 else "")
        columns.append(column if number == 0 else replace(column, key=f"{metric}@{column.way}"))
    return columns


def _with_deltas(columns: Sequence[Column]) -> list[Column]:
    """Return the columns, each of a compared metric followed by its differences to the baseline."""
    wide = []
    for column in columns:
        wide.append(column)
        if SHOWN[column.quantity.name].is_compared:
            wide.append(replace(column, key=f"{column.key}_delta", is_delta=True))
    return wide
