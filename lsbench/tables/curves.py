"""How trainings went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lsbench.core.record import split_epoch
from lsbench.core.units import quantity
from lsbench.store.results import ResultsFolder
from lsbench.tables.cache import cached_frame, typed_frame

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
CACHE = "curves.parquet"


@dataclass(frozen=True)
class Curve:
    """One metric over the epochs of one training, or of the mean of several.

    Attributes:
        variant: Name of the variant.
        title: What reports call it.
        protocol: That of the training.
        seed: Its seed; None where it has none, and for a mean.
        metric: What was measured, in the unit of records.
        epochs: Counted from 1, rising; epochs in which it was not measured are left out.
        values: One per epoch.
        lr_scale: Smallest factor by which the training lowered the recipe's learning rate after its loss
            had diverged; 1 if it never did.
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
        """The earliest epoch with the best value, and that; None where no direction is better."""
        is_better = quantity(self.metric).higher_is_better
        if is_better is None:
            return None
        value = max(self.values) if is_better else min(self.values)
        return self.epochs[self.values.index(value)], value


def load_curves(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every figure of a single epoch in `folders` as one row, in the order of the manifest.

    Returns:
        A frame with the columns of :data:`CURVE_COLUMNS`: above all `variant`, `seed`, `epoch` (counted
        from 1), `metric` and `value` (SI units and fractions). `protocol` is that of the whole training.
        `lr_scale` is the smallest factor that any record of the training says its learning rate was lowered
        by after a divergence, null where none says so.
    """
    frames = [cached_frame(folder, CACHE, CURVE_COLUMNS, _rows) for folder in folders]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else typed_frame([], CURVE_COLUMNS)


def _rows(folder: ResultsFolder) -> Iterator[dict[str, Any]]:
    manifest = folder.manifest() or {"jobs": []}
    found: dict[str, list[dict[str, Any]]] = {}
    lowered: dict[str, float] = {}
    for record in folder.records():
        protocol, epoch = split_epoch(record["protocol"])
        if epoch is not None:
            fields = {"protocol": protocol, "epoch": epoch}
            fields |= {"metric": record["metric"], "value": record["value"]}
            found.setdefault(record["job_id"], []).append(fields)
        if (scale := record["setting"].get("lr_scale")) is not None:
            lowered[record["job_id"]] = min(scale, lowered.get(record["job_id"], scale))
    jobs = folder.jobs()
    for entry in manifest["jobs"]:
        if jobs.get(entry["id"], {}).get("status") != "ok":
            continue
        base = {"suite": manifest["suite"], "preset": manifest["preset"], "job_id": entry["id"]}
        base |= {key: entry[key] for key in ("variant", "title", "seed")}
        base["lr_scale"] = lowered.get(entry["id"])
        yield from ({**base, **fields} for fields in found.get(entry["id"], ()))


def curves_of(frame: pd.DataFrame) -> list[Curve]:
    """Return each curve of a frame of one results folder: one per variant, protocol, seed and metric."""
    keys = ["variant", "title", "protocol", "seed", "metric"]
    measured = frame.dropna(subset=["value"])
    curves = []
    for _, rows in measured.groupby(keys, sort=False, dropna=False):
        ordered = rows.sort_values("epoch", kind="stable")
        variant, title, protocol, seed, metric = ordered[keys].iloc[0]
        scale = ordered.lr_scale.min()
        curves.append(
            Curve(
                variant=str(variant),
                title=str(title),
                protocol=str(protocol),
                seed=None if pd.isna(seed) else int(seed),
                metric=str(metric),
                epochs=tuple(map(int, ordered.epoch)),
                values=tuple(map(float, ordered.value)),
                lr_scale=1.0 if pd.isna(scale) else float(scale),
            )
        )
    return curves
