"""The rows of a long table grouped by variant, and their values for one column of the summary."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

from lsbench.stats.seeds import Estimate
from lsbench.store.standing import DUE, RUNNING, WAITING
from lsbench.tables.cells import Column
from lsbench.tables.columns import job_kind


class _Row(NamedTuple):
    """The fields of a long table's row that a summary needs; None is null."""

    variant: str
    kind: str
    job: str
    seed: int | None
    dataset: str | None
    protocol: str | None
    metric: str | None
    value: float | None
    ci_low: float | None
    ci_high: float | None
    status: str

    def is_shown(self, column: Column) -> bool:
        """Return True if the row belongs to a column, with or without a value."""
        return (
            self.metric == column.quantity.name
            and self.protocol == column.protocol
            and column.dataset in (None, self.dataset)
        )


class Measured:
    """A long table of one suite and preset, grouped by variant."""

    def __init__(self, table: pd.DataFrame, without: Mapping[str, Collection[str]] | None = None) -> None:
        """Group the rows by variant.

        Args:
            table: The long table.
            without: Job name -> the variants that the suite leaves out of it.
        """
        self._partial = {variant for left_out in (without or {}).values() for variant in left_out}
        self._rows: dict[str, list[_Row]] = {}
        columns = (table[name].astype("object") for name in _Row._fields)
        for row in map(_Row._make, zip(*(c.where(c.notna(), None) for c in columns), strict=True)):
            self._rows.setdefault(row.variant, []).append(row)

    def values(self, variant: str, column: Column) -> dict[int, float]:
        """Return seed -> value; -1 stands for a job without a seed."""
        return {
            -1 if row.seed is None else row.seed: float(row.value)
            for row in self._rows.get(variant, ())
            if row.value is not None and row.is_shown(column)
        }

    def expected(self, variant: str, column: Column) -> int:
        """Return the number of seeds for which a column should have a value."""
        return max(len({row.seed for row in self._of_jobs(variant, column)}), 1)

    def single(self, variant: str, column: Column, value: float) -> Estimate:
        """Return a value that was measured once, with its recorded interval."""
        rows = self._rows[variant]
        row = [row for row in rows if row.value is not None and row.is_shown(column)][-1]
        return Estimate(value, row.ci_low, row.ci_high, 1)

    def hole(self, variant: str, column: Column) -> str:
        """Return the reason why a variant has no value in a column; empty if it is left out of the job."""
        rows = self._rows.get(variant, ())
        jobs = self._of_jobs(variant, column)
        shown = column.quantity
        if not jobs and variant in self._partial:
            return ""
        if shown.hole and any(row.is_shown(column) for row in jobs):
            return shown.hole
        kind = job_kind(column.kind)
        before = kind.needs if kind else ()
        if any(row.status == "failed" for row in (*jobs, *(row for row in rows if row.kind in before))):
            return "failed"
        states = {row.status for row in jobs}
        if found := next((state for state in (RUNNING, DUE) if state in states), ""):
            return found
        is_inconclusive = shown.depends_on_machine and any(
            row.metric == shown.name and row.value is None for row in rows
        )
        if is_inconclusive:
            return "inconclusive"
        return WAITING if states - {"ok"} else "missing"

    def _of_jobs(self, variant: str, column: Column) -> list[_Row]:
        """Return the rows of the jobs that measure a column for a variant, done or not."""
        jobs = [row for row in self._rows.get(variant, ()) if row.kind == column.kind]
        return [row for row in jobs if row.job in column.jobs] or jobs
