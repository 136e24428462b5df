"""Compare each variant with the baseline: the difference, its interval and its p value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import pandas as pd

from lsbench.core.quantity import Quantity, quantity
from lsbench.stats.paired import Difference, holm, over_images, over_seeds, over_seeds_and_images
from lsbench.stats.power import seeds_to_detect
from lsbench.stats.resampled import difference_of_resamples
from lsbench.stats.seeds import LEVEL, Estimate, detectable_effect
from lsbench.store.resampled_numbers import Resampled, read_resampled, resampled_differences
from lsbench.store.results import ResultsFolder
from lsbench.store.right_images import RightImages, differences, read_right
from lsbench.store.standing import DUE
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import job_kind
from lsbench.tables.frames.cached_frame import cached_frame

KeptT = TypeVar("KeptT")

LEVEL_OF_TEST = 1 - LEVEL
#: Its version is raised whenever the same results would give other numbers, so that old files expire.
CACHE = "comparisons_v2.parquet"
NO_SEED = -1
#: So many seeds do not tell how much seeds differ.
FEW = 2
#: One point of a share that is shown in percent.
POINT = 0.01


@dataclass(frozen=True)
class Side:
    """Results of one of two models.

    Attributes:
        values: Seed -> value.
        images: Seed -> per-image correctness; None if it was not kept.
        resampled: Seed -> the value over resampled images, of a number that is no mean over images; None if
            it was not kept.
    """

    values: dict[int, float] = field(default_factory=dict)
    images: dict[int, RightImages | None] = field(default_factory=dict)
    resampled: dict[int, Resampled | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Two models compared by one metric, on one data set and under one protocol.

    Attributes:
        title: Title of the first variant.
        other: Title of the second variant, the baseline.
        difference: First minus second.
        p_adjusted: The p value after Holm's adjustment over the whole table.
        detectable: The true difference that would be detected in 80 % of cases, given the number of
            comparisons in the table; None with two seeds, whose spread is hardly known.
        seeds_for_point: The number of seeds that would detect a difference of one point (of a share) in 80 %
            of cases; None for other quantities, with fewer than three seeds, or if there is none.
        seeds_for_seen: The same for a difference of the size seen.
        family: Number of tested comparisons in the table.
        reason: Why images could not be used beside seeds; empty if they were.
    """

    variant: str
    title: str
    other: str
    metric: str
    dataset: str | None
    protocol: str
    difference: Difference
    p_adjusted: float | None = None
    detectable: float | None = None
    seeds_for_point: int | None = None
    seeds_for_seen: int | None = None
    family: int = 0
    reason: str = ""

    @property
    def quantity(self) -> Quantity:
        """The compared quantity."""
        return quantity(self.metric)

    @property
    def is_told_apart(self) -> bool:
        """True if the difference is significant after adjustment for all comparisons of the table."""
        return self.p_adjusted is not None and self.p_adjusted <= LEVEL_OF_TEST

    @property
    def cannot_tell(self) -> bool:
        """True if there are two seeds, and they do not tell the two apart."""
        return self.difference.seeds == FEW and not self.is_told_apart

    @property
    def is_better(self) -> bool:
        """True if the first variant has the better value, significant or not."""
        return (self.difference.value > 0) == (self.quantity.higher_is_better is not False)


def measure(one: Side, other: Side) -> tuple[Difference | None, str]:
    """Return the difference of two sides, and the reason if images could not be used beside seeds.

    Images are paired with themselves, and equal seeds with each other; without images, only seeds are
    compared. The difference is None if the sides share no seed.
    """
    shared = sorted(one.values.keys() & other.values.keys())
    if not shared:
        return None, "no seed was run on both sides"
    if one.resampled or other.resampled:
        found, reason = resampled_differences(*_of_seeds(shared, one.resampled, other.resampled))
        if found is not None:
            return difference_of_resamples(*found), ""
        per_image = None
    else:
        per_image, reason = differences(*_of_seeds(shared, one.images, other.images))
    if per_image is None:
        return over_seeds([one.values[seed] - other.values[seed] for seed in shared]), reason
    if len(shared) == 1:
        return over_images(per_image[0]), ""
    return over_seeds_and_images(per_image), ""


def _of_seeds(seeds: Sequence[int], *sides: Mapping[int, KeptT | None]) -> list[dict[int, KeptT | None]]:
    """Return what each side keeps of some seeds, None where it keeps nothing."""
    return [{seed: side.get(seed) for seed in seeds} for side in sides]


def judged(compared: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with adjusted p values and detectable differences, given their number."""
    tested = [one for one in compared if one.difference.p_value is not None]
    adjusted = iter(holm([float(one.difference.p_value or 0.0) for one in tested]))
    share = LEVEL_OF_TEST / max(len(tested), 1)
    found = []
    for one in compared:
        error, freedom = one.difference.error, one.difference.freedom
        if one.difference.p_value is None or error is None:
            found.append(one)
            continue
        judgement = replace(one, p_adjusted=next(adjusted), family=len(tested))
        if error > 0 and one.difference.seeds != FEW:
            judgement = replace(judgement, detectable=detectable_effect(error, freedom, level=share))
        found.append(judgement if one.difference.seeds <= FEW else _with_seeds(judgement, share))
    return found


def _with_seeds(one: Comparison, level: float) -> Comparison:
    """Return a comparison with the numbers of seeds that would detect one point, and the difference seen."""
    of_point = seeds_to_detect(POINT, one.difference, level=level) if one.quantity.is_share else None
    of_seen = seeds_to_detect(one.difference.value, one.difference, level=level)
    return replace(one, seeds_for_point=of_point, seeds_for_seen=of_seen)


Key = tuple[str, str | None, str]
Sides = dict[Key, dict[str, Side]]


def read_sides(
    table: pd.DataFrame, folders: Mapping[tuple[str, str], ResultsFolder], metrics: Iterable[str]
) -> Sides:
    """Return (metric, data set, protocol) -> variant -> its values and images.

    Args:
        table: A long table.
        folders: (suite, preset) -> results folder.
        metrics: Names of the metrics to read.
    """
    rows = table[table.metric.isin([*metrics]).fillna(False) & table.value.notna()]
    found: Sides = {}
    row: Any
    for row in rows.itertuples():
        key = str(row.metric), _known(row.dataset), str(row.protocol)
        kind = job_kind(str(row.kind))
        if kind is not None and not kind.uses_data:
            key = key[0], None, key[2]
        side = found.setdefault(key, {}).setdefault(str(row.variant), Side())
        seed = NO_SEED if pd.isna(row.seed) else int(row.seed)
        side.values[seed] = float(row.value)
        job_folder = folders[str(row.suite), str(row.preset)].job_folder(str(row.job_id))
        if quantity(key[0]).is_per_image:
            side.images[seed] = read_right(job_folder, key[0], float(row.value))
        elif quantity(key[0]).is_resampled:
            side.resampled[seed] = read_resampled(job_folder, key[0], float(row.value))
    return found


def _known(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def compare_with_baseline(
    folder: ResultsFolder, manifest: dict[str, Any], table: pd.DataFrame, columns: Sequence[Column]
) -> list[Comparison]:
    """Return the comparison of every variant with the baseline, for every column of differences.

    Args:
        folder: A results folder; the comparisons are cached there until its results change.
        manifest: Its manifest.
        table: Its long table.
        columns: The columns of its summary.
    """

    def rows(_: ResultsFolder) -> Iterable[dict[str, Any]]:
        return map(to_row, judged(list(_compared(folder, manifest, table, columns))))

    due = sorted(table[(table.status == DUE).fillna(False)].job_id.dropna().unique())
    frame = cached_frame(folder, CACHE, COLUMNS, rows, state=due)
    return [from_row({str(key): value for key, value in row.items()}) for row in frame.to_dict("records")]


def _compared(
    folder: ResultsFolder, manifest: dict[str, Any], table: pd.DataFrame, columns: Sequence[Column]
) -> Iterable[Comparison]:
    wanted = [column for column in columns if column.is_delta and column.protocol]
    place = (manifest["suite"], manifest["preset"])
    sides = read_sides(table, {place: folder}, {column.quantity.name for column in wanted})
    titles = {entry["variant"]: entry["title"] for entry in manifest["jobs"]}
    baseline = manifest["baseline"]
    for column in wanted:
        of_variant = sides.get((column.quantity.name, column.dataset, column.protocol), {})
        for variant, title in titles.items():
            if variant == baseline or variant not in of_variant or baseline not in of_variant:
                continue
            difference, reason = measure(of_variant[variant], of_variant[baseline])
            if difference is not None:
                what = (column.quantity.name, column.dataset, column.protocol)
                yield Comparison(variant, title, titles[baseline], *what, difference, reason=reason)


def with_differences(
    rows: Sequence[Row], columns: Sequence[Column], compared: Iterable[Comparison]
) -> list[Row]:
    """Return the rows with the comparisons' estimates in their cells of differences."""
    keys = {(c.quantity.name, c.dataset, c.protocol): c.key for c in columns if c.is_delta}
    found: dict[str, dict[str, Estimate]] = {}
    for one in compared:
        estimate = Estimate(
            one.difference.value, one.difference.low, one.difference.high, one.difference.seeds
        )
        found.setdefault(one.variant, {})[keys[one.metric, one.dataset, one.protocol]] = estimate
    return [
        replace(row, cells={key: _with(cell, of_row.get(key)) for key, cell in row.cells.items()})
        for row in rows
        for of_row in [found.get(row.variant, {})]
    ]


def _with(cell: Cell, estimate: Estimate | None) -> Cell:
    return cell if estimate is None else replace(cell, estimate=estimate)


_TYPES = {"int": "Int64", "float": "Float64", "str": "string"}
_OF_DIFFERENCE = [one.name for one in fields(Difference)]
#: Columns of the file that caches comparisons, with their pandas types.
COLUMNS = {
    one.name: _TYPES[str(one.type).split(" ")[0]]
    for one in (*fields(Comparison), *fields(Difference))
    if one.name != "difference"
}


def to_row(one: Comparison) -> dict[str, Any]:
    """Return a comparison as a flat mapping; infinite or unknown values are None."""
    parts = {name: getattr(one.difference, name) for name in _OF_DIFFERENCE}
    if math.isinf(one.difference.freedom):
        parts["freedom"] = None
    own = {item.name: getattr(one, item.name) for item in fields(one) if item.name != "difference"}
    return {**own, **parts}


def from_row(row: Mapping[str, Any]) -> Comparison:
    """Return the comparison from which :func:`to_row` made a mapping."""
    known: dict[str, Any] = {name: None if pd.isna(value) else value for name, value in row.items()}
    known["freedom"] = math.inf if known["freedom"] is None else known["freedom"]
    difference = Difference(**{name: known.pop(name) for name in _OF_DIFFERENCE})
    return Comparison(**known, difference=difference)
