"""Learning curves: the metrics of trainings, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lsbench.core.quantity import quantity
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.grouping import group_numbers
from lsbench.tables.frames.parts import OpenResults, part_frame, read_all
from lsbench.tables.frames.ways import Part

#: Columns of the frame of curves, with the pandas type of each.
CURVE_COLUMNS = {
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "variant": "string",
    "title": "string",
    "protocol": "string",
    "seed": "Int64",
    "epoch": "Int64",
    "metric": "string",
    "value": "Float64",
    "lr_scale": "Float64",
}


@dataclass(frozen=True)
class Curve:
    """One metric over the epochs of one training, or the mean over several trainings.

    Attributes:
        variant: Name of the variant.
        title: Title of the variant in reports.
        protocol: Protocol of the training.
        seed: Seed of the training; None for a mean, or if it has none.
        metric: Name of the metric, in the unit of records.
        epochs: Rising epoch numbers from 1, without epochs that have no value.
        values: One per epoch.
        lr_scale: Smallest factor applied to the recipe's learning rate after the loss diverged; 1 if it never
            diverged.
    """

    variant: str
    title: str
    protocol: str
    seed: int | None
    metric: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    lr_scale: float = 1.0

    @property
    def first(self) -> tuple[int, float]:
        """The first epoch and its value."""
        return self.epochs[0], self.values[0]

    @property
    def last(self) -> tuple[int, float]:
        """The last epoch and its value."""
        return self.epochs[-1], self.values[-1]

    @property
    def best(self) -> tuple[int, float] | None:
        """The earliest epoch with the best value, and that value; None if no direction is better."""
        is_better = quantity(self.metric).higher_is_better
        if is_better is None:
            return None
        value = max(self.values) if is_better else min(self.values)
        return self.epochs[self.values.index(value)], value


def load_curves(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every per-epoch value in `folders` as one row, in the order of the manifest.

    Returns:
        A frame with the columns of :data:`CURVE_COLUMNS`: above all `variant`, `seed`, `epoch` (counted
        from 1), `metric` and `value` (SI units and fractions). `protocol` is that of the whole training.
        `lr_scale` is the smallest factor applied to the learning rate after a divergence, null if there was
        none.
    """
    return read_all(folders, CURVE_COLUMNS, curves_frame)


def curves_frame(opened: OpenResults) -> pd.DataFrame:
    """Return the curves of one results folder as a frame; text columns are categorical."""
    lowered = [opened.records.part(part, ["job_id", "lr_scale"]) for part in (Part.WHOLE, Part.EPOCH)]
    known = pd.concat([frame.dropna().astype({"job_id": "object"}) for frame in lowered])
    scales = known.groupby("job_id").lr_scale.min()
    of_jobs = [scales.get(name) for name in opened.jobs.id]
    return part_frame(opened, Part.EPOCH, list(CURVE_COLUMNS), {"lr_scale": of_jobs})


def curves_of(frame: pd.DataFrame) -> list[Curve]:
    """Return the curves in a frame of one results folder: one per variant, protocol, seed and metric."""
    keys = ["variant", "title", "protocol", "seed", "metric"]
    measured = frame.dropna(subset=["value"])
    number = group_numbers(measured, keys)
    order = np.lexsort((measured.epoch.to_numpy(), number))
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    bounds = pairwise([*starts.tolist(), len(order)])
    epochs = measured.epoch.to_numpy(np.int64)[order].tolist()
    values = measured.value.to_numpy(np.float64)[order].tolist()
    scales = measured.lr_scale.to_numpy(np.float64, na_value=1.0)[order]
    lowest = np.minimum.reduceat(scales, starts).tolist() if len(starts) else []
    names = measured[keys].iloc[order[starts]].astype("object")
    return [
        Curve(
            variant=str(variant),
            title=str(title),
            protocol=str(protocol),
            seed=None if pd.isna(seed) else int(seed),
            metric=str(metric),
            epochs=tuple(epochs[start:end]),
            values=tuple(values[start:end]),
            lr_scale=scale,
        )
        for (variant, title, protocol, seed, metric), (start, end), scale in zip(
            names.itertuples(index=False), bounds, lowest, strict=True
        )
    ]
