"""How many images two sets of results answer differently, against how much the seeds of one set differ.

Two runs of the same suite on the same kind of CPU, under the same versions, give the same answers. Under
others each training takes its own way, as another seed does; so the yardstick is how far two seeds are apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import pandas as pd

from lsbench.core.quantity import quantity
from lsbench.store.answers import Answers
from lsbench.tables.frames.evaluations import Evaluation, read_evaluations
from lsbench.tables.side_by_side import Beside, ComparedResults

#: What a result depends on beside the suite, by its name in the provenance.
ORIGINS = {
    "cpu": "",
    "cpus": "CPUs",
    "python": "Python",
    "torch": "torch",
    "timm": "timm",
    "lsbench": "lsbench",
}
#: Variant -> seed -> evaluation.
Rows = dict[str, dict[int | None, Evaluation]]


@dataclass(frozen=True)
class AnswerChanges:
    """How many images one row answers differently in two sets of results.

    Attributes:
        title: Title of the row.
        images: Number of images.
        seeds: Number of seeds that both sides have.
        changed: Number of images with another answer, the mean over those seeds.
        between_seeds: The least and the most images in which two seeds of side A differ; None for one seed.
    """

    title: str
    images: int
    seeds: int
    changed: float
    between_seeds: tuple[int, int] | None

    @property
    def is_beyond_seeds(self) -> bool:
        """Whether the two sides differ more than any two seeds of side A; False if that is unknown."""
        return self.between_seeds is not None and self.changed > self.between_seeds[1]


@dataclass(frozen=True)
class Agreement:
    """The rows that both sides evaluated on the same images under one protocol.

    Attributes:
        dataset: Data set of the images.
        protocol: Protocol of both sides.
        rows: Each of these rows.
    """

    dataset: str
    protocol: str
    rows: list[AnswerChanges] = field(default_factory=list)


def find_agreements(a: ComparedResults, b: ComparedResults) -> list[Agreement]:
    """Return how many images are answered differently, for each data set and protocol that both sides have.

    Raises:
        StoreError: If a file is damaged.
    """
    one, two = _by_way(a), _by_way(b)
    found = []
    for way, rows in one.items():
        changes = [
            change
            for variant, seeds in rows.items()
            if (change := _changes(seeds, two.get(way, {}).get(variant, {}))) is not None
        ]
        if changes:
            found.append(Agreement(*way, changes))
    return found


def _by_way(side: ComparedResults) -> dict[tuple[str, str], Rows]:
    found: dict[tuple[str, str], Rows] = {}
    for one in _evaluations(side):
        if one.is_first:
            found.setdefault(one.way, {}).setdefault(one.variant, {})[one.seed] = one
    return found


def _evaluations(side: ComparedResults) -> Iterator[Evaluation]:
    for folder in side.folders:
        suite, preset = folder.names
        is_own = (side.table().suite == suite) & (side.table().preset == preset)
        yield from read_evaluations(folder, side.table()[is_own])


def _changes(
    one: Mapping[int | None, Evaluation], two: Mapping[int | None, Evaluation]
) -> AnswerChanges | None:
    pairs = [(one[seed].answers, two[seed].answers) for seed in one if seed in two]
    if not pairs or len({(side.sha256, len(side.predictions)) for pair in pairs for side in pair}) > 1:
        return None
    apart = [_differing(*pair) for pair in combinations([own.answers for own in one.values()], 2)]
    first = next(iter(one.values()))
    return AnswerChanges(
        first.title,
        len(first.answers.predictions),
        len(pairs),
        sum(_differing(*pair) for pair in pairs) / len(pairs),
        (min(apart), max(apart)) if apart else None,
    )


def _differing(one: Answers, two: Answers) -> int:
    """Return how many images have two different classes."""
    return int((one.predictions != two.predictions).sum())


def other_origins(a: ComparedResults, b: ComparedResults) -> list[tuple[str, str]]:
    """Return the kinds of CPU and the versions that differ between the sides, as texts of A and B."""
    one, two = _origins(a.table()), _origins(b.table())
    return [(one[name], two[name]) for name in ORIGINS if one[name] != two[name]]


def _origins(table: pd.DataFrame) -> dict[str, str]:
    known = [json.loads(text) for text in table.provenance.dropna().unique()]
    values = {name: sorted({str(one[name]) for one in known if one.get(name)}) for name in ORIGINS}
    return {name: f"{ORIGINS[name]} {' and '.join(found)}".strip() for name, found in values.items()}


def relative_timings(found: Iterable[Beside]) -> dict[str, list[float]]:
    """Return the timings that are ratios to a control, as B over A: metric -> one number for each row."""
    ratios: dict[str, list[float]] = {}
    for row in found:
        if quantity(row.metric).is_relative_timing and row.a and row.b:
            ratios.setdefault(row.metric, []).append(row.b / row.a)
    return ratios
