"""Choose the columns of a summary: one per metric, protocol and data set, which are never mixed in a column.

The variants' own data sets come first, job kind by job kind, then each further test set of the suite. Every
metric that has a record gets a column: headlines in the main tables, all others in a last one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lsbench.core.errors import LsbenchError
from lsbench.core.facets import Facets, runtime_words
from lsbench.core.job import JobKind
from lsbench.core.quantity import Quantity, declarations, is_declared, quantity
from lsbench.core.registry import JOBS
from lsbench.tables.cells import Column

#: Headings of the tables of other data sets, and of metrics that are no headlines.
OTHER_DATA, FURTHER = "on other data", "further measurements"
ALL_CLASSES = ", all classes"


@dataclass(frozen=True)
class _Kind:
    """A job kind of a suite, with the names of its jobs on the variants' own data."""

    name: str
    names: frozenset[str]
    offered: JobKind | None

    @property
    def usual(self) -> tuple[str, ...]:
        return self.offered.usual if self.offered else ()

    @property
    def panel(self) -> str:
        return self.offered.panel if self.offered else ""

    @property
    def place(self) -> tuple[int, str]:
        return (self.offered.place if self.offered else 100), self.name

    @property
    def uses_data(self) -> bool:
        return self.offered is None or self.offered.uses_data


def job_kind(name: str) -> JobKind | None:
    """Return the job kind called `name`, or None if its package is not installed or broken."""
    try:
        found: JobKind = JOBS.load(name)
    except (LsbenchError, ImportError):
        return None
    return found


def create_columns(table: pd.DataFrame, jobs: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the columns of a suite's summary.

    The usual metrics of a job kind have a column even before a job of that kind has finished, unless no job
    was asked for them.

    Args:
        table: The suite's long table.
        jobs: All expected jobs, as the manifest lists them.
    """
    own = {entry["dataset"] for entry in jobs}
    on = {entry["name"]: entry["on"] for entry in jobs if entry.get("on") not in {None, *own}}
    measured = table[table.metric.notna()]
    is_other = (measured.job.isin(on.keys()) & measured.dataset.isin(on.values())).fillna(False)
    has_ended = {*table.kind[(table.status == "ok").fillna(False)]}
    found: list[Column] = []
    kinds = _kinds(jobs, on.keys())
    for kind in kinds:
        rows = measured[~is_other & (measured.kind == kind.name)]
        for metric in _metrics(kind, rows) if kind.names else ():
            is_asked = metric in kind.usual and kind.name not in has_ended
            taken = {column.key for column in found}
            found += _own(kind, metric, rows[rows.metric == metric], is_asked, taken)
    for dataset in dict.fromkeys(on.values()):
        names = frozenset(name for name, tested in on.items() if tested == dataset)
        rows = measured[is_other & measured.job.isin(names) & (measured.dataset == dataset)]
        found += _other(dataset, rows, kinds, names)
    has_seeds = len({entry["seed"] for entry in jobs} - {None}) > 1
    wide = [wide for column in found for wide in _with_delta(column, has_seeds)]
    return sorted(wide, key=lambda column: column.panel == FURTHER)


def _kinds(jobs: Sequence[Mapping[str, Any]], on: Iterable[str]) -> list[_Kind]:
    """Return the job kinds of a suite in the order of their columns."""
    names = {kind: {e["name"] for e in jobs if e["kind"] == kind} for kind in {e["kind"] for e in jobs}}
    kinds = [_Kind(kind, frozenset(found - {*on}), job_kind(kind)) for kind, found in names.items()]
    return sorted(kinds, key=lambda kind: kind.place)


def _metrics(kind: _Kind, rows: pd.DataFrame) -> list[str]:
    """Return the metrics of a job kind in order.

    Usual metrics come first, each followed by the others of its module; then the rest, module by module.
    """
    declared = declarations()
    modules = [declared[name].module for name in kind.usual if name in declared]

    def order(name: str) -> tuple[Any, ...]:
        one = declared.get(name)
        if one is None:
            return len(modules) + 1, "", 0, name
        is_usual = one.module in modules
        return modules.index(one.module) if is_usual else len(modules), one.module, one.place, name

    return sorted({*kind.usual, *rows.metric.astype(str)}, key=order)


def _shown(metric: str, rows: pd.DataFrame) -> Quantity:
    """Return the quantity of a metric; an undeclared one takes its unit from the records."""
    shown = quantity(metric)
    units = [unit for unit in rows.unit.dropna().unique() if unit]
    if is_declared(metric) or not units:
        return shown
    return replace(shown, unit=units[0], title=f"{metric} ({units[0]})")


def _own(
    kind: _Kind, metric: str, rows: pd.DataFrame, is_asked: bool, taken: Collection[str]
) -> list[Column]:
    """Return the columns of a metric on the variants' own data sets."""
    shown = _shown(metric, rows)
    panel = kind.panel if shown.is_headline else FURTHER
    empty = Column(shown.name, shown, "", kind=kind.name, panel=panel)
    if rows.empty:
        return [empty] if is_asked else []
    plain = _plain(empty, rows if kind.uses_data else rows.assign(dataset=None))
    found = []
    for number, (column, remark) in enumerate(zip(plain, _remarks(plain), strict=True)):
        is_plain = number == 0 and shown.name not in taken
        found.append(
            replace(column, key=shown.name if is_plain else f"{shown.name}@{column.way}", remark=remark)
        )
    if kind.usual[:1] == (shown.name,) and kind.offered is not None and kind.offered.per_seed:
        lacking = sorted(kind.names - {*rows.job})
        found += [
            replace(empty, key=f"{shown.name}@{name}", jobs=frozenset({name}), remark=f" [{name}]")
            for name in lacking
        ]
    return found


def _plain(empty: Column, rows: pd.DataFrame) -> list[Column]:
    """Return one column for each protocol and data set of a metric."""
    names = ["protocol", "dataset", "job", "facets"]
    found: dict[tuple[str, str | None], Column] = {}
    for protocol, dataset, job, facets in rows[names].astype("object").itertuples(index=False):
        key = protocol, None if pd.isna(dataset) else dataset
        known = found.get(key) or replace(
            empty, protocol=protocol, dataset=key[1], facets=Facets.model_validate_json(facets)
        )
        found[key] = known if job in known.jobs else replace(known, jobs=known.jobs | {job})
    return list(found.values())


def _remarks(columns: Sequence[Column]) -> list[str]:
    """Return the end of each title that distinguishes columns of one metric, in the fewest words that can.

    These are the names of the methods, or of the runtimes with their precisions.
    """
    if len(columns) < 2:
        return [""] * len(columns)
    methods = [column.facets.method for column in columns]
    runtimes = [runtime_words(column.facets) for column in columns]
    ways = [column.way for column in columns]
    words = next((names for names in (methods, runtimes) if None not in names and _differ(names)), ways)
    return [f" [{one}]" for one in words]


def _differ(names: Sequence[object]) -> bool:
    return len({*names}) == len(names)


def _other(dataset: str, rows: pd.DataFrame, kinds: Sequence[_Kind], jobs: frozenset[str]) -> list[Column]:
    """Return the columns of a data set other than the variants' own, which `jobs` test on."""
    found: list[Column] = []
    for kind in kinds:
        own = rows[rows.kind == kind.name]
        for metric in _metrics(kind, own) if len(own) else ():
            records = own[own.metric == metric]
            shown = _shown(metric, records)
            panel = OTHER_DATA if shown.is_headline else FURTHER
            plain = Column(
                f"{dataset}_{metric}",
                shown,
                "",
                dataset,
                jobs,
                is_on_other_data=True,
                kind=kind.name,
                panel=panel,
            )
            found += _told_apart(plain, records)
    if found:
        return found
    tests = next(
        (kind for kind in kinds if kind.usual and kind.offered and kind.offered.spec.data_fields), None
    )
    names = tests.usual[:1] if tests else ()
    return [
        Column(
            f"{dataset}_{name}",
            quantity(name),
            "",
            dataset,
            jobs,
            is_on_other_data=True,
            kind=tests.name if tests else "",
            panel=OTHER_DATA,
        )
        for name in names
    ]


def _told_apart(plain: Column, rows: pd.DataFrame) -> list[Column]:
    """Return one column for each protocol of a metric on one other data set.

    If the model is tested once among the data set's classes and once among all of its own, the former comes
    first, and the title of the latter says "all classes".
    """
    ways = sorted(_plain(plain, rows), key=lambda column: column.facets.classes or 0)
    protocols = [column.protocol for column in ways]
    marks, remarks = [""], [""]
    if len(ways) == 2 and len({column.facets.without("classes") for column in ways}) == 1:
        marks, remarks = ["", "_all_classes"], ["", ALL_CLASSES]
    elif len(ways) > 1:
        marks = ["", *(f"@{protocol}" for protocol in protocols[1:])]
        remarks = [f" [{protocol}]" for protocol in protocols]
    return [
        replace(column, key=f"{plain.key}{mark}", remark=remark)
        for column, mark, remark in zip(ways, marks, remarks, strict=True)
    ]


def _with_delta(column: Column, has_seeds: bool) -> list[Column]:
    """Return the column, followed by its differences to the baseline where they are shown.

    On other data than the variants', and of numbers that are not kept by image, a difference needs several
    seeds.
    """
    shown = column.quantity
    is_plain = shown.is_resampled or (shown.is_per_image and not column.is_on_other_data)
    is_wanted = shown.is_compared and column.remark != ALL_CLASSES
    if not is_wanted or not (is_plain or (has_seeds and column.protocol)):
        return [column]
    return [column, replace(column, key=f"{column.key}_delta", is_delta=True)]


def panels(columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Return the columns grouped into tables: name of the table -> its columns; the main one has no name.

    Published columns stand beside ours, or in the main table if we measured nothing comparable.
    """
    found: dict[str, list[Column]] = {"": []}
    of_metric: dict[str, str] = {}
    for column in columns:
        name = of_metric.get(column.quantity.name, "") if column.is_published else column.panel
        of_metric.setdefault(column.published_as, name)
        found.setdefault(name, []).append(column)
    return found
