"""Numbers per corruption and severity: the rows and notes of reports.

They are errors of classifiers, and AP or mIoU of detectors and segmenters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, overload

import numpy as np
import pandas as pd

from lsbench.core.counted import counted
from lsbench.core.quantity import quantity
from lsbench.corruptions import in_order
from lsbench.stats.seeds import Estimate, mean_over_seeds
from lsbench.tables.frames.corruptions import CORRUPTION_COLUMNS
from lsbench.tables.frames.grouping import group_numbers

ERROR = "corruption_error"
MOST_NAMED = 5


@dataclass(frozen=True)
class CorruptionFigure:
    """One value measured under one corruption.

    Attributes:
        variant: Name of the variant.
        title: Title of the variant in reports.
        seed: Seed of the training; None if it has none.
        dataset: Data set of the original images.
        protocol: Protocol of the whole job.
        corruption: One of :func:`lsbench.corruptions.all_names`.
        severity: 1 to 5, or None for a value over all severities of the protocol.
        metric: Name of the metric, in the unit of records.
        value: None if it could not be measured, or the set is incomplete.
        n: Image count; None without a value.
        method: Source of the corrupted images, such as ``imagenet-c-files``; None if not recorded.
    """

    variant: str
    title: str
    seed: int | None
    dataset: str
    protocol: str
    corruption: str
    severity: int | None
    metric: str
    value: float | None
    n: int | None
    method: str | None = None

    @property
    def way(self) -> str:
        """A short name of the measurement: the source of the corrupted images, else the whole protocol."""
        return self.method or self.protocol


_NAMES = [field.name for field in fields(CorruptionFigure)]


@dataclass(frozen=True)
class RobustnessRow:
    """One metric of one variant under one protocol.

    Attributes:
        metric: Name of the metric.
        title: Title of the variant, with the method where it was tested with several.
        protocol: Protocol of the row.
        seeds: Number of trained models.
        means: Corruption -> mean over all severities and the seeds with a complete set; None if no seed has
            one.
    """

    metric: str
    title: str
    protocol: str
    seeds: int
    means: dict[str, Estimate | None]


class CorruptionFigures(Sequence[CorruptionFigure]):
    """The rows of one results folder's frame as :class:`CorruptionFigure`, created on first access.

    Attributes:
        frame: The rows, with a column for each attribute of a figure.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame[_NAMES]

    @cached_property
    def _figures(self) -> list[CorruptionFigure]:
        columns = (self.frame[name].astype("object") for name in _NAMES)
        plain = (column.where(column.notna(), None) for column in columns)
        return [CorruptionFigure(*row) for row in zip(*plain, strict=True)]

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, index: int) -> CorruptionFigure: ...
    @overload
    def __getitem__(self, index: slice) -> list[CorruptionFigure]: ...
    def __getitem__(self, index: int | slice) -> CorruptionFigure | list[CorruptionFigure]:
        return self._figures[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._figures == list(other)

    __hash__ = None  # type: ignore[assignment]


def figures_of(frame: pd.DataFrame) -> CorruptionFigures:
    """Return the rows of one results folder's frame as figures; null becomes None."""
    return CorruptionFigures(frame)


def _frame_of(figures: Sequence[CorruptionFigure]) -> pd.DataFrame:
    if isinstance(figures, CorruptionFigures):
        return figures.frame
    rows = [[getattr(figure, name) for name in _NAMES] for figure in figures]
    types = {name: CORRUPTION_COLUMNS[name] for name in _NAMES}
    return pd.DataFrame(rows, columns=_NAMES, dtype="object").astype(types)


def robustness_rows(figures: Sequence[CorruptionFigure]) -> list[RobustnessRow]:
    """Return the errors of classifiers, one row per variant and protocol."""
    return _rows_of(_frame_of(figures), ERROR)


def performance_rows(figures: Sequence[CorruptionFigure]) -> list[RobustnessRow]:
    """Return AP and mIoU of detectors and segmenters, one row per metric, variant and protocol."""
    frame = _frame_of(figures)
    metrics = [name for name in frame.metric.astype("object").unique() if quantity(name).is_resampled]
    return [row for metric in metrics for row in _rows_of(frame, metric)]


def _rows_of(frame: pd.DataFrame, metric: str) -> list[RobustnessRow]:
    frame = frame[frame.metric == metric]
    models = frame.drop_duplicates(["variant", "protocol", "seed"])
    groups: dict[tuple[str, str], list[CorruptionFigure]] = {}
    for model in figures_of(models):
        groups.setdefault((model.variant, model.protocol), []).append(model)
    means: dict[tuple[str, str], dict[str, list[float]]] = {}
    whole = frame[frame.severity.isna()]
    known = whole.value.notna().tolist()
    names = zip(
        *(whole[name].astype("object") for name in ("variant", "protocol", "corruption")), strict=True
    )
    for (variant, protocol, corruption), value, is_known in zip(names, whole.value, known, strict=True):
        found = means.setdefault((variant, protocol), {}).setdefault(corruption, [])
        found += [value] if is_known else []
    tested = Counter(variant for variant, _ in groups)
    rows = []
    for (variant, protocol), own in groups.items():
        way = f" [{own[0].way}]" if tested[variant] > 1 else ""
        values = means.get((variant, protocol), {})
        own_means = {
            name: mean_over_seeds(values[name]) if values[name] else None for name in in_order(values)
        }
        rows.append(RobustnessRow(metric, f"{own[0].title}{way}", protocol, len(own), own_means))
    return rows


def robustness_notes(figures: Sequence[CorruptionFigure]) -> list[str]:
    """Return notes on the missing conditions of each model; a mean over the rest would be misleading."""
    frame = _frame_of(figures)
    conditions = frame[(frame.metric == ERROR) & frame.severity.notna()]
    number = group_numbers(conditions, ["title", "seed", "protocol"])
    sizes = np.bincount(number)
    is_missing = conditions.value.isna().to_numpy(bool)
    lacking: dict[int, list[CorruptionFigure]] = {}
    for group, figure in zip(number[is_missing].tolist(), figures_of(conditions[is_missing]), strict=True):
        lacking.setdefault(group, []).append(figure)
    notes = []
    for group in sorted(lacking):
        first = lacking[group][0]
        missing = [f"{figure.corruption}/{figure.severity}" for figure in lacking[group]]
        which = first.title if first.seed is None else f"{first.title}, seed {first.seed}"
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        notes.append(
            f"{which}: {len(missing)} of {counted(sizes[group], 'condition')} of {first.way} "
            f"{'is' if len(missing) == 1 else 'are'} missing: "
            f"{', '.join(missing[:MOST_NAMED])}{more}. Means over the rest are withheld."
        )
    return notes


def to_record(figure: CorruptionFigure) -> dict[str, Any]:
    """Return a figure as plain values, without title and method."""
    return {name: value for name, value in asdict(figure).items() if name not in {"title", "method"}}
