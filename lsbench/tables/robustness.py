"""Errors of single corruptions and severities: a frame of all of them, and what a reader wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from lsbench.core.record import split_corruption
from lsbench.data.corruptions import NAMES
from lsbench.store.results import ResultsFolder
from lsbench.tables.cache import cached_frame, typed_frame
from lsbench.tables.statistics import Estimate, mean_over_seeds

#: Columns of the frame of corruptions, with the pandas type of each.
CORRUPTION_COLUMNS = {
    "suite": "string",
    "preset": "string",
    "job_id": "string",
    "variant": "string",
    "title": "string",
    "seed": "Int64",
    "dataset": "string",
    "protocol": "string",
    "corruption": "string",
    "severity": "Int64",
    "metric": "string",
    "value": "Float64",
    "n": "Int64",
}
CACHE = "corruptions.parquet"
ERROR = "corruption_error"
MOST_NAMED = 5


@dataclass(frozen=True)
class CorruptionFigure:
    """One figure of one corruption.

    Attributes:
        variant: Name of the variant.
        title: What reports call it.
        seed: Of the training; None where it has none.
        dataset: Whose images were corrupted.
        protocol: That of the whole job.
        corruption: One of :data:`lsbench.data.corruptions.NAMES`.
        severity: 1 to 5, or None for a figure over all severities of the protocol.
        metric: What was measured, in the unit of records.
        value: None where it could not be measured, or would be of an incomplete set.
        n: Number of images; None where there is no value.
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


@dataclass(frozen=True)
class RobustnessRow:
    """The errors of one variant under one protocol.

    Attributes:
        title: What reports call it; with the protocol's name where the variant was tested in several ways.
        protocol: Under which all of the row was measured.
        seeds: Number of trained models.
        errors: Corruption -> mean error over its severities and the seeds that have all of them; None where
            no seed has.
    """

    title: str
    protocol: str
    seeds: int
    errors: dict[str, Estimate | None]


def load_corruptions(folders: Iterable[ResultsFolder]) -> pd.DataFrame:
    """Return every figure of a single corruption in `folders` as one row, in the order of the manifest.

    Returns:
        A frame with the columns of :data:`CORRUPTION_COLUMNS`. `severity` is null in a figure over all
        severities, `value` where a part could not be measured.
    """
    frames = [cached_frame(folder, CACHE, CORRUPTION_COLUMNS, _rows) for folder in folders]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else typed_frame([], CORRUPTION_COLUMNS)


def _rows(folder: ResultsFolder) -> Iterator[dict[str, Any]]:
    manifest = folder.manifest() or {"jobs": []}
    found: dict[str, list[dict[str, Any]]] = {}
    for record in folder.records():
        protocol, corruption, severity = split_corruption(record["protocol"])
        if corruption is not None:
            fields = {"protocol": protocol, "corruption": corruption, "severity": severity}
            fields |= {key: record[key] for key in ("dataset", "metric", "value", "n")}
            found.setdefault(record["job_id"], []).append(fields)
    jobs = folder.jobs()
    for entry in manifest["jobs"]:
        if jobs.get(entry["id"], {}).get("status") != "ok":
            continue
        base = {"suite": manifest["suite"], "preset": manifest["preset"], "job_id": entry["id"]}
        base |= {key: entry[key] for key in ("variant", "title", "seed")}
        yield from ({**base, **fields} for fields in found.get(entry["id"], ()))


def figures_of(frame: pd.DataFrame) -> list[CorruptionFigure]:
    """Return each row of a frame of one results folder as a figure; null is None."""
    names = list(CorruptionFigure.__dataclass_fields__)
    plain = frame[names].astype(object)
    rows = plain.where(plain.notna(), None).to_dict("records")
    return [CorruptionFigure(**{str(name): value for name, value in row.items()}) for row in rows]


def robustness_rows(figures: Sequence[CorruptionFigure]) -> list[RobustnessRow]:
    """Return one row per variant and protocol."""
    groups: dict[tuple[str, str], list[CorruptionFigure]] = {}
    for figure in figures:
        groups.setdefault((figure.variant, figure.protocol), []).append(figure)
    variants = [variant for variant, _ in groups]
    rows = []
    for (variant, protocol), own in groups.items():
        way = f" [{protocol.split('|', 1)[0]}]" if variants.count(variant) > 1 else ""
        means = [figure for figure in own if figure.metric == ERROR and figure.severity is None]
        values: dict[str, list[float]] = {}
        for figure in means:
            found = values.setdefault(figure.corruption, [])
            found += [] if figure.value is None else [figure.value]
        errors = {name: mean_over_seeds(values[name]) if values[name] else None for name in in_order(values)}
        rows.append(RobustnessRow(f"{own[0].title}{way}", protocol, len({f.seed for f in own}), errors))
    return rows


def in_order(corruptions: Iterable[str]) -> list[str]:
    """Return each corruption once, in the order of the benchmark.

    >>> in_order(["fog", "snow", "fog"])
    ['snow', 'fog']
    """
    found = set(corruptions)
    return [name for name in NAMES if name in found]


def robustness_notes(figures: Sequence[CorruptionFigure]) -> list[str]:
    """Return which cells are missing of each model: the mean over the others of a corruption is withheld."""
    cells: dict[tuple[str, int | None, str], list[CorruptionFigure]] = {}
    for figure in figures:
        if figure.metric == ERROR and figure.severity is not None:
            cells.setdefault((figure.title, figure.seed, figure.protocol), []).append(figure)
    notes = []
    for (title, seed, protocol), own in cells.items():
        missing = [f"{figure.corruption}/{figure.severity}" for figure in own if figure.value is None]
        if not missing:
            continue
        which = title if seed is None else f"{title}, seed {seed}"
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        notes.append(
            f"{which}: {len(missing)} of {len(own)} cells of {protocol.split('|', 1)[0]} are missing: "
            f"{', '.join(missing[:MOST_NAMED])}{more}. Means over the others are withheld."
        )
    return notes


def to_record(figure: CorruptionFigure) -> dict[str, Any]:
    """Return a figure as plain values, without its title."""
    return {name: value for name, value in asdict(figure).items() if name != "title"}
