"""Check published numbers against ours: each is reproduced, differs, or cannot be judged yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from lsbench.core.facets import Facets, render_protocol
from lsbench.core.interval_text import estimate_text
from lsbench.core.quantity import Quantity, published_text, quantity
from lsbench.core.registry import DATASETS
from lsbench.stats.seeds import Estimate, mean_over_seeds
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.load import load_table

#: For published weights, which are only evaluated: they leave differences in pixels and rounding.
TOLERANCE_OF_WEIGHTS = 0.001


class Reproduction(StrEnum):
    """The verdict on a published number."""

    REPRODUCES = "reproduces"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell yet"


@dataclass(frozen=True)
class Verification:
    """A published number, ours, and the verdict.

    Attributes:
        ours: Our number; None without a comparable one.
        reason: Explanation of the verdict.
    """

    suite: str
    preset: str
    title: str
    metric: str
    published: float
    ours: Estimate | None
    protocol: str
    verdict: Reproduction
    reason: str

    @property
    def quantity(self) -> Quantity:
        """The published quantity."""
        return quantity(self.metric)


def verify(folder: ResultsFolder) -> list[Verification]:
    """Return the verdict of a results folder on each published number of its suite."""
    manifest = folder.manifest() or {"jobs": []}
    rows: dict[str, dict[str, float]] = manifest.get("published", {})
    logs: dict[str, dict[str, float]] = manifest.get("published_logs", {})
    only: list[dict[str, Any]] = manifest.get("published_only", [])
    if not rows and not only:
        return []
    table = load_table([folder])
    titles = {entry["variant"]: entry["title"] for entry in manifest["jobs"]}
    digits = _printed_digits([*rows.values(), *(row["published"] for row in only)])
    log_digits = _printed_digits(logs.values())
    found = []
    for variant in dict.fromkeys([*rows, *logs]):
        own, title = table[table.variant == variant], titles.get(variant, variant)
        sources = ((title, rows, digits), (f"{title}, its log", logs, log_digits))
        for name, source, printed in sources:
            for metric, value in source.get(variant, {}).items():
                what = (manifest["suite"], manifest["preset"], name, metric, value)
                found.append(Verification(*what, *_judge(own, manifest, metric, value, printed[metric])))
    for row in only:
        for metric, value in row["published"].items():
            what = (manifest["suite"], manifest["preset"], row["name"], metric, value)
            reason = f"cannot be run here: {row['reason']}"
            found.append(Verification(*what, None, "", Reproduction.CANNOT_TELL, reason))
    return found


def _printed_digits(rows: Iterable[dict[str, float]]) -> dict[str, int]:
    """Return the decimals that the source prints of each metric: those of its longest number."""
    found: dict[str, int] = {}
    for row in rows:
        for metric, value in row.items():
            decimals = published_text(quantity(metric), value).partition(".")[2]
            found[metric] = max(found.get(metric, 0), len(decimals))
    return found


_Judged = tuple[Estimate | None, str, Reproduction, str]


def _judge(table: pd.DataFrame, manifest: dict[str, Any], metric: str, value: float, digits: int) -> _Judged:
    """Return our number, its protocol, the verdict and the reason."""
    barrier = _barrier(manifest, metric)
    if barrier:
        return None, "", Reproduction.CANNOT_TELL, barrier
    rows, lacking = _ours(table, manifest, metric)
    if lacking:
        return None, "", Reproduction.CANNOT_TELL, lacking + _left_out(manifest, {*table.variant})
    protocol = str(rows.protocol.iloc[0])
    values = [float(one) for one in rows.value]
    shown = quantity(metric)
    if shown.is_counted:
        ours = Estimate(values[-1], values[-1], values[-1], 1)
        return ours, protocol, *_counted(values[-1], value, shown, digits)
    ours, has_trained = _estimate(rows, values), rows.weights.iloc[0] != "pretrained"
    half_unit = 0.5 * 10**-digits / shown.scale
    tolerance = (shown.tolerance if has_trained else TOLERANCE_OF_WEIGHTS) + half_unit
    if not has_trained:
        ours = Estimate(ours.value, ours.value, ours.value, ours.n)
    return ours, protocol, *_within(ours, value, tolerance, shown)


def _barrier(manifest: dict[str, Any], metric: str) -> str:
    """Return why no result of this metric can be compared; an empty text if some can."""
    preset, *marks = str(manifest["preset"]).split("+")
    published = manifest.get("published_preset", "default")
    if quantity(metric).depends_on_machine:
        return "a timing on another machine"
    if preset != published:
        return f"run with preset '{preset}'; the published numbers are for '{published}'"
    if quantity(metric).is_counted and all(mark.startswith("limit=") for mark in marks):
        return ""
    return f"run with overrides ({', '.join(marks)})" if marks else ""


def _left_out(manifest: dict[str, Any], variants: set[str]) -> str:
    """Return a remark on the jobs that a row is left out of; an empty text if it has all."""
    of_jobs: dict[str, dict[str, str]] = manifest.get("without", {})
    reasons: dict[str, list[str]] = {}
    for job, left_out in of_jobs.items():
        for reason in (left_out[name] for name in variants if name in left_out):
            reasons.setdefault(reason, []).append(job)
    parts = [f"left out of {', '.join(jobs)}: {reason}" for reason, jobs in reasons.items()]
    return f" ({'; '.join(parts)})" if parts else ""


def _ours(table: pd.DataFrame, manifest: dict[str, Any], metric: str) -> tuple[pd.DataFrame, str]:
    """Return our records of a published metric under the comparable protocol, or why there are none."""
    name, dataset = _measured_as(metric)
    rows = table[(table.metric == name).fillna(False)]
    if dataset:
        rows = rows[(rows.dataset == dataset).fillna(False)]
    elif quantity(name).is_per_image:
        variants = {*rows.variant}
        own = {entry["dataset"] for entry in manifest["jobs"] if entry["variant"] in variants}
        rows = rows[rows.dataset.isin(own).fillna(False)]
    found = rows[rows.value.notna()]
    if found.empty:
        return found, "failed" if "failed" in {*table.status} else "not run yet"
    usual = quantity(metric).published_under
    ways = found.drop_duplicates("protocol")
    fitting = [
        protocol
        for protocol, facets in zip(ways.protocol, ways.facets, strict=True)
        if Facets.model_validate_json(facets).has_all_of(usual)
    ]
    if not fitting:
        wanted = render_protocol(usual)
        return found, f"under another protocol: {found.protocol.iloc[0]} instead of {wanted}"
    if len(fitting) > 1:
        return found, f"under {len(fitting)} protocols: {', '.join(map(str, fitting))}"
    return found[found.protocol == fitting[0]], ""


def _measured_as(metric: str) -> tuple[str, str]:
    """Return our name of a published metric, and its data set if that is not the variants' own."""
    names = [name for name in DATASETS.names() if metric.startswith(f"{name}_")]
    dataset = max(names, key=len, default="")
    return metric.removeprefix(f"{dataset}_"), dataset


def _estimate(rows: pd.DataFrame, values: list[float]) -> Estimate:
    """Return the mean over the seeds; for one seed, its value with the interval over images."""
    if len(values) > 1:
        return mean_over_seeds(values)
    low, high = (None if pd.isna(end) else float(end) for end in (rows.ci_low.iloc[0], rows.ci_high.iloc[0]))
    return Estimate(values[0], low, high, 1)


def _counted(ours: float, published: float, shown: Quantity, digits: int) -> tuple[Reproduction, str]:
    rounded, printed = (f"{number * shown.scale:.{digits}f}" for number in (ours, published))
    if rounded == printed:
        return Reproduction.REPRODUCES, "rounds to the printed number"
    return Reproduction.DIFFERS, f"rounds to {rounded}, not {printed}"


def _within(ours: Estimate, published: float, tolerance: float, shown: Quantity) -> tuple[Reproduction, str]:
    """Return the verdict on a measured number: its whole interval must be inside the tolerance or outside."""
    allowed = f"{tolerance * shown.scale:.2f}"
    if ours.low is None or ours.high is None:
        return Reproduction.CANNOT_TELL, "our number has no interval"
    low, high = ours.low - published, ours.high - published
    if -tolerance <= low and high <= tolerance:
        return Reproduction.REPRODUCES, f"our whole interval is within {allowed} of it"
    if low > tolerance or high < -tolerance:
        return Reproduction.DIFFERS, f"our whole interval is more than {allowed} away"
    return (
        Reproduction.CANNOT_TELL,
        f"our interval is partly within {allowed} of it: run more seeds",
    )


HEADER = ("suite", "row", "metric", "published", "ours", "verdict", "why")


def verification_rows(found: Iterable[Verification]) -> Iterator[list[str]]:
    """Yield one row of cells for each published number."""
    for one in found:
        shown = one.quantity
        place = one.suite if one.preset == "default" else f"{one.suite} ({one.preset})"
        title = shown.title.partition(",")[0]
        ours = _ours_text(one.ours, shown)
        yield [place, one.title, title, published_text(shown, one.published), ours, one.verdict, one.reason]


def _ours_text(ours: Estimate | None, shown: Quantity) -> str:
    if ours is None:
        return "-"
    is_exact = ours.low == ours.high
    return estimate_text(shown, ours.value, *((None, None) if is_exact else (ours.low, ours.high)))


def verification_counts(found: Iterable[Verification]) -> str:
    """Return the number of each verdict in one line."""
    verdicts = [one.verdict for one in found]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in Reproduction)
