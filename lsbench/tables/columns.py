"""Choose the columns of a summary: one per metric, protocol and data set; two of them never share one.

First come the variants' own data sets, then each other one that the suite tests them on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lsbench.core.quantity import quantity
from lsbench.tables.cells import Column


@dataclass(frozen=True)
class Shown:
    """How a metric is shown.

    Attributes:
        kind: The kind of job that measures it.
        is_compared: Whether a column of differences to the baseline stands beside it; on corrupted images
            and other data, only where there are several seeds.
        is_optional: Whether it has a column only where some job has measured it.
    """

    kind: str
    is_compared: bool = False
    is_optional: bool = False


#: Metrics shown, in this order.
SHOWN = {
    "top1": Shown("evaluate", is_compared=True),
    "ece": Shown("evaluate", is_optional=True),
    "fgsm_top1": Shown("evaluate", is_optional=True),
    "pgd_top1": Shown("evaluate", is_optional=True),
    "params": Shown("profile"),
    "macs": Shown("profile"),
    "macs_paper": Shown("profile", is_optional=True),
    "latency_ms": Shown("profile"),
    "throughput": Shown("profile"),
    "latency_ratio": Shown("profile", is_optional=True),
    "throughput_ratio": Shown("profile", is_optional=True),
    "mce": Shown("robustness", is_compared=True),
    "relative_mce": Shown("robustness"),
    "corruption_error": Shown("robustness"),
    "clean_error": Shown("robustness"),
}
ALL_CLASSES = ", all classes"
_CLASSES = re.compile(r"\|classes=(\d+)(?=\||$)")

Ways = dict[tuple[str, str | None], set[str]]


def create_columns(table: pd.DataFrame, jobs: Sequence[dict[str, Any]]) -> list[Column]:
    """Return the columns of a suite's summary.

    A metric that no job kind of the suite measures has no column; one that nobody has measured yet has one
    without a protocol.

    Args:
        table: The suite's long table.
        jobs: Every expected job, as the manifest lists them.
    """
    own = {entry["dataset"] for entry in jobs}
    on = {entry["name"]: entry["on"] for entry in jobs if entry.get("on") not in {None, *own}}
    names = {kind: _names(jobs, kind) - on.keys() for kind in {entry["kind"] for entry in jobs}}
    is_other = ((table.kind == "evaluate") & table.dataset.isin(on.values())).fillna(False)
    # A profile that has ended without a metric was not asked for it: a column of holes would say otherwise.
    has_profiles = bool(((table.kind == "profile") & (table.status == "ok")).any())
    found: list[Column] = []
    for metric, shown in SHOWN.items():
        if names.get(shown.kind):
            is_asked = not shown.is_optional and not (shown.kind == "profile" and has_profiles)
            found += _own(metric, _ways(table[~is_other], metric), names[shown.kind], is_asked=is_asked)
    for dataset in dict.fromkeys(on.values()):
        rows = table[is_other & (table.dataset == dataset)]
        found += _other(dataset, rows, frozenset(name for name, tested in on.items() if tested == dataset))
    has_seeds = len({entry["seed"] for entry in jobs} - {None}) > 1
    return [wide for column in found for wide in _with_delta(column, has_seeds)]


def _names(jobs: Sequence[dict[str, Any]], kind: str) -> set[str]:
    return {entry["name"] for entry in jobs if entry["kind"] == kind}


def _ways(table: pd.DataFrame, metric: str) -> Ways:
    """Return the ways in which a metric was measured, (protocol, data set), each with the jobs that did."""
    rows = table[(table.metric == metric).fillna(False)]
    datasets: Iterable[str | None] = rows.dataset
    if SHOWN[metric].kind == "profile":
        datasets = [None] * len(rows)
    ways: Ways = {}
    for protocol, dataset, job in zip(rows.protocol, datasets, rows.job, strict=True):
        ways.setdefault((protocol, dataset), set()).add(job)
    return ways


def _own(metric: str, ways: Ways, jobs: set[str], *, is_asked: bool) -> list[Column]:
    """Return the columns of a metric on the variants' own data sets, which `jobs` measure."""
    if not ways:
        return [Column(metric, quantity(metric), "")] if is_asked else []
    plain = [
        Column(metric, quantity(metric), protocol, dataset, frozenset(names))
        for (protocol, dataset), names in ways.items()
    ]
    found = []
    for number, (column, remark) in enumerate(zip(plain, _remarks(plain), strict=True)):
        key = metric if number == 0 else f"{metric}@{column.way}"
        found.append(replace(column, key=key, remark=remark))
    for name in sorted(jobs - set().union(*ways.values())) if metric == "mce" else ():
        hole = Column(f"{metric}@{name}", quantity(metric), "", None, frozenset({name}), remark=f" [{name}]")
        found.append(hole)
    return found


def _remarks(columns: Sequence[Column]) -> list[str]:
    """Return what tells columns of one metric apart; of robustness, the name of the protocol is enough."""
    if len(columns) < 2:
        return [""] * len(columns)
    ways = [column.way for column in columns]
    names = [column.protocol.split("|", 1)[0] for column in columns]
    is_robustness = SHOWN[columns[0].quantity.name].kind == "robustness"
    return [f" [{way}]" for way in (names if is_robustness and len({*names}) == len(names) else ways)]


def _other(dataset: str, rows: pd.DataFrame, jobs: frozenset[str]) -> list[Column]:
    """Return the columns of another data set than the variants' own, on which `jobs` test."""
    found: list[Column] = []
    for metric in (metric for metric, shown in SHOWN.items() if shown.kind == "evaluate"):
        plain = Column(f"{dataset}_{metric}", quantity(metric), "", dataset, jobs, is_on_other_data=True)
        ways = _ways(rows, metric)
        by_protocol = {protocol: frozenset(names) for (protocol, _), names in ways.items()}
        found += [
            replace(
                plain, key=f"{plain.key}{mark}", protocol=protocol, jobs=by_protocol[protocol], remark=remark
            )
            for protocol, mark, remark in _told_apart(by_protocol)
        ]
    top1 = Column(f"{dataset}_top1", quantity("top1"), "", dataset, jobs, is_on_other_data=True)
    return found or [top1]


def _told_apart(protocols: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return each protocol of a metric on one other data set, with the ends of its column's key and title.

    Where the model answers once among the classes of the data set and once among all of its own, the
    former comes first, and the latter says so.
    """
    ordered = sorted(protocols, key=_num_classes)
    if len(ordered) < 2:
        return [(protocol, "", "") for protocol in ordered]
    if len(ordered) == 2 and len({_CLASSES.sub("", protocol) for protocol in ordered}) == 1:
        return [(ordered[0], "", ""), (ordered[1], "_all_classes", ALL_CLASSES)]
    marks = ("", *(f"@{protocol}" for protocol in ordered[1:]))
    return [(protocol, mark, f" [{protocol}]") for protocol, mark in zip(ordered, marks, strict=True)]


def _num_classes(protocol: str) -> int:
    found = _CLASSES.search(protocol)
    return int(found.group(1)) if found else 0


def _with_delta(column: Column, has_seeds: bool) -> list[Column]:
    """Return the column, and that of its differences to the baseline where they are wanted."""
    is_plain = not column.is_on_other_data and SHOWN[column.quantity.name].kind != "robustness"
    is_wanted = SHOWN[column.quantity.name].is_compared and column.remark != ALL_CLASSES
    if not is_wanted or not (is_plain or (has_seeds and column.protocol)):
        return [column]
    return [column, replace(column, key=f"{column.key}_delta", is_delta=True)]


def panels(columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Return the columns in groups that can be read as tables of their own, by what comes behind the heading.

    What others published stands with ours, and in the first group where we measured nothing like it.
    """
    found: dict[str, list[Column]] = {"": []}
    of_metric: dict[str, str] = {}
    for column in columns:
        if column.is_on_other_data:
            name = "on other data"
        elif column.is_published:
            name = of_metric.get(column.quantity.name, "")
        else:
            shown = SHOWN.get(column.quantity.name)
            name = "on corrupted images" if shown and shown.kind == "robustness" else ""
        of_metric.setdefault(column.published_as, name)
        found.setdefault(name, []).append(column)
    return found
