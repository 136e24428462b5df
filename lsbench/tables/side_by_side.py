"""Compare two sets of results: two suites, two folders, or one suite under two commits."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from lsbench.core.counted import counted
from lsbench.core.errors import NothingMeasuredError, StoreError, UsageError
from lsbench.core.next_command import near
from lsbench.core.quantity import quantity
from lsbench.core.registry import suggest
from lsbench.stats.seeds import mean_over_seeds
from lsbench.store.damage import explained
from lsbench.store.places import find_asked, find_results, of_preset
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import standing_now
from lsbench.tables.columns import job_kind
from lsbench.tables.comparisons import Comparison, Side, Sides, judged, measure, read_sides
from lsbench.tables.frames.load import load_table

_COMMIT = re.compile(r"[0-9a-f]{4,40}")


@dataclass(frozen=True)
class ComparedResults:
    """One side of a comparison: the name as typed, and its results.

    Attributes:
        commit: Only jobs of commits that start with this; empty for all.
    """

    name: str
    folders: tuple[ResultsFolder, ...]
    commit: str = ""

    def table(self) -> pd.DataFrame:
        """Return its long table, which is read once.

        Raises:
            NothingMeasuredError: If no job has measured anything.
            UsageError: If all of them are searches.
        """
        return self._table

    @cached_property
    def _table(self) -> pd.DataFrame:
        folders = [folder for folder in self.folders if not _is_search(folder)]
        if self.folders and not folders:
            raise UsageError(
                f"{self.name}: a search, whose trials have settings of their own; compare the suite that it "
                "tunes, once that has run"
            )
        table = load_table(folders, keeps_due=True)
        table = table[table.value.notna()]
        if self.commit:
            table = table[[_commit(text).startswith(self.commit) for text in table.provenance]]
        if table.empty:
            at = f" at commit {self.commit}" if self.commit else ""
            raise NothingMeasuredError(f"{self.name}: nothing was measured{at}")
        return table

    def code_notes(self) -> list[str]:
        """Return one line for each reason why results of this side are not those of the code of now."""
        due: list[str] = []
        for folder in self.folders:
            with suppress(StoreError), explained(folder.root):  # a damaged folder has been told already
                due += standing_now(folder, folder.manifest() or {}).due().values()
        return [
            f"{self.name}: {counted(count, 'result')} of earlier code, as {reason}."
            for reason, count in Counter(due).items()
        ]


@dataclass(frozen=True)
class Beside:
    """One number on both sides; None where a side lacks it.

    Attributes:
        compared: The difference B - A with its uncertainty; None if that is unknown.
        remark: Why the two are not compared or not tested; empty if they are.
    """

    variant: str
    metric: str
    dataset: str | None
    protocol: str
    a: float | None
    b: float | None
    compared: Comparison | None = None
    remark: str = ""


def find_source(asked: str, results: Path, preset: str | None = None) -> ComparedResults:
    """Return the results of a folder, a suite, ``SUITE@COMMIT`` or a commit.

    Args:
        asked: The name as typed.
        results: The results folder in which suites and commits are searched.
        preset: Only this preset; by default ``default`` if there is one.

    Raises:
        UsageError: If the name is none of these.
    """
    found = find_asked(asked, results)
    if found is not None:
        return ComparedResults(asked, _of_preset(found, preset))
    name, _, commit = asked.partition("@")
    found = find_asked(name, results) if name and commit else None
    if found is not None:
        return ComparedResults(asked, _of_preset(found, preset), commit)
    if not commit and _COMMIT.fullmatch(asked):
        return ComparedResults(asked, _of_preset(find_results(results), preset), asked)
    suites = {folder.root.parent.name for folder in find_results(results)}
    listed = ", ".join(sorted(suites)) or "none"
    raise UsageError(
        f"{asked}: neither a results folder nor a suite with results in {near(results)}"
        f"{suggest(name, suites)}; suites: {listed}. SUITE@COMMIT and a commit of at least 4 digits work too"
    )


def _of_preset(folders: Sequence[ResultsFolder], preset: str | None) -> tuple[ResultsFolder, ...]:
    names = {folder.root.name for folder in folders}
    wanted = preset or ("default" if of_preset(folders, "default") else None)
    if wanted is None and len(names) > 1:
        listed = ", ".join(sorted(names))
        raise UsageError(f"{folders[0].root.parent}: has presets {listed}; choose one with --preset")
    kept = tuple(of_preset(folders, wanted))
    if not kept:
        raise UsageError(f"--preset {preset}: no results; presets: {', '.join(sorted(names)) or 'none'}")
    return kept


def _is_search(folder: ResultsFolder) -> bool:
    with suppress(StoreError):  # a damaged folder is told where it is read
        return "search" in (folder.manifest() or {})
    return False


def _commit(provenance: str) -> str:
    return str(json.loads(provenance).get("git_sha") or "")


def compare_sources(a: ComparedResults, b: ComparedResults) -> list[Beside]:
    """Return the numbers of either side, with the difference where both sides measured the same.

    Raises:
        NothingMeasuredError: If the sides have no row in common.
    """
    tables = [a.table(), b.table()]
    one, two = _read(a, tables[0]), _read(b, tables[1])
    noted = _noted(tables)
    found = [
        _beside(key, variant, one.get(key, {}).get(variant), two.get(key, {}).get(variant), noted)
        for key in dict.fromkeys([*one, *two])
        for variant in dict.fromkeys([*one.get(key, {}), *two.get(key, {})])
    ]
    if not any(row.a is not None and row.b is not None for row in found):
        names = [
            ", ".join(sorted({row.variant for row in rows}))
            for rows in ([r for r in found if r.a is not None], [r for r in found if r.b is not None])
        ]
        raise NothingMeasuredError(
            f"{a.name} and {b.name} share no number of the same variant, metric, data set and protocol: "
            f"A has {names[0]}, B has {names[1]}"
        )
    tested = iter(judged([row.compared for row in found if row.compared is not None]))
    found = [row if row.compared is None else replace(row, compared=next(tested)) for row in found]
    return [_with_other_protocol(row, found) for row in found]


def _noted(tables: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Return metric -> job kind of the metrics that are by-products of jobs: shown, but not tested."""
    kinds = {(str(m), str(k)) for table in tables for m, k in zip(table.metric, table.kind, strict=True)}
    return {metric: kind for metric, kind in kinds if (found := job_kind(kind)) and not found.is_result}


def _read(source: ComparedResults, table: pd.DataFrame) -> Sides:
    places = {folder.names: folder for folder in source.folders}
    suites = {place[0] for place in places}
    if len(suites) > 1:  # variants of two suites may have the same name
        table = table.assign(variant=table.suite + "/" + table.variant)
    return read_sides(table, places, dict.fromkeys(table.metric.dropna()))


def _beside(
    key: tuple[str, str | None, str],
    variant: str,
    a: Side | None,
    b: Side | None,
    noted: Mapping[str, str],
) -> Beside:
    metric, dataset, protocol = key
    row = Beside(variant, metric, dataset, protocol, _mean(a), _mean(b))
    if a is None or b is None:
        return replace(row, remark=f"only {'A' if b is None else 'B'}")
    if quantity(metric).depends_on_machine:
        return replace(row, remark="timings of two runs are not paired; use `lsbench gate`")
    if quantity(metric).is_counted:
        return replace(row, remark="equal" if row.a == row.b else "counted: differs")
    if metric in noted:
        remark = "equal" if row.a == row.b else f"by-product of job kind {noted[metric]}: not tested"
        return replace(row, remark=remark)
    difference, reason = measure(b, a)
    if difference is None:
        return replace(row, remark=reason)
    titles = (f"{variant} in B", f"{variant} in A")
    compared = Comparison(variant, *titles, metric, dataset, protocol, difference, reason=reason)
    is_equal = difference.low == difference.high == 0
    return replace(row, compared=compared, remark="equal" if is_equal else "")


def _mean(side: Side | None) -> float | None:
    return None if side is None else mean_over_seeds(list(side.values.values())).value


def _with_other_protocol(row: Beside, rows: Sequence[Beside]) -> Beside:
    """Return the row with a remark if the other side measured its number under another protocol."""
    if row.a is not None and row.b is not None:
        return row
    others = [
        other
        for other in rows
        if (other.variant, other.metric) == (row.variant, row.metric) and other is not row
        if (other.a is None) != (row.a is None) and (other.a is None or other.b is None)
    ]
    if not others:
        return row
    way = f"{others[0].dataset}|{others[0].protocol}" if others[0].dataset else others[0].protocol
    return replace(row, remark=f"{row.remark}; the other side has {way}: not comparable")
