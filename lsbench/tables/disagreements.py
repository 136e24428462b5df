"""The images that a row gets right and the baseline wrong, and the reverse.

Shapes: S seeds, N images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsbench.store.answers import Answers, read_names
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.evaluations import Evaluation, read_evaluations

Pairs = Sequence[tuple[Answers, Answers]]
#: Most images that are chosen for one row.
MOST_IMAGES = 24
NO_SEED = -1


@dataclass(frozen=True)
class Disagreement:
    """One image that a row and the baseline answer differently, one of them right.

    Attributes:
        index: Position of the image in the evaluation.
        name: ``<class>/<file name>`` of the image; its number in files of before, which is not `is_named`.
        is_gain: True if the row is right and the baseline wrong; False for the reverse.
        target: The true class.
        said: The row's answer.
        other: The baseline's answer.
        confidence: The row's confidence in its answer, the mean over those seeds; None in files of before.
        seeds: Number of seeds in which it is so, less those in which the reverse is.
        best: The row's most likely classes, the likeliest first.
    """

    index: int
    name: str
    is_gain: bool
    target: str
    said: str
    other: str
    confidence: float | None
    seeds: int
    best: tuple[str, ...] = ()
    is_named: bool = True


@dataclass(frozen=True)
class Disagreements:
    """The disagreements of one row with the baseline, on one data set under one protocol.

    Attributes:
        variant: Name of the row's variant.
        title: Its title.
        other: Title of the baseline.
        dataset: Data set of the images.
        protocol: Protocol of both.
        job_id: An evaluation of the row, which names the images.
        seeds: Number of seeds that both have.
        gained: Number of images that more seeds of the row than of the baseline get right.
        lost: Number of images of the reverse.
        images: The chosen images: those gained first, and of each kind those of the most seeds first, and
            then the most confident.
        reason: Why the two cannot be compared; empty if they are.
    """

    variant: str
    title: str
    other: str
    dataset: str
    protocol: str
    job_id: str
    seeds: int = 0
    gained: int = 0
    lost: int = 0
    images: list[Disagreement] = field(default_factory=list)
    reason: str = ""


def find_disagreements(
    folder: ResultsFolder, table: pd.DataFrame, baseline: str, variants: Sequence[str] | None = None
) -> list[Disagreements]:
    """Return the disagreements of each row with the baseline, for each data set and protocol.

    Answers among all classes, after those among the classes of the test set, are left out.

    Args:
        folder: A results folder.
        table: Its long table.
        baseline: Name of the baseline's variant.
        variants: Only these rows; default: all.

    Raises:
        StoreError: If a file is damaged.
    """
    wanted = None if variants is None else [baseline, *variants]
    ways: dict[tuple[str, str], dict[str, dict[int, Evaluation]]] = {}
    for one in read_evaluations(folder, table, wanted):
        if one.is_first:
            seed = NO_SEED if one.seed is None else one.seed
            ways.setdefault(one.way, {}).setdefault(one.variant, {})[seed] = one
    of_row = max(2, MOST_IMAGES // max(len(ways), 1))
    found = []
    for of_way in ways.values():
        others = of_way.pop(baseline, {})
        found += [_compare(folder, own, others, of_row) for own in of_way.values() if others]
    return found


def _compare(
    folder: ResultsFolder, own: Mapping[int, Evaluation], others: Mapping[int, Evaluation], most: int
) -> Disagreements:
    first, other = next(iter(own.values())), next(iter(others.values()))
    where = (first.variant, first.title, other.title, first.dataset, first.protocol)
    seeds = sorted(own.keys() & others.keys())
    if not seeds:
        return Disagreements(*where, first.job_id, reason="no seed was run on both sides")
    pairs = [(own[seed].answers, others[seed].answers) for seed in seeds]
    if len({(side.sha256, len(side.targets)) for pair in pairs for side in pair}) > 1:
        return Disagreements(*where, first.job_id, reason="the two were tested on different images")
    apart = np.stack([a.is_right.astype(np.int8) - b.is_right for a, b in pairs])
    total = apart.sum(axis=0, dtype=np.int64)
    sure = {sign: _confidences(pairs, apart, sign) for sign in (1, -1)}
    gained, lost = (_ordered(total, sure[sign], sign) for sign in (1, -1))
    job = own[seeds[0]].job_id
    names = read_names(folder.job_folder(job))
    many = min(len(gained), max(most // 2, most - len(lost)))
    chosen = [*((1, n) for n in gained[:many].tolist()), *((-1, n) for n in lost[: most - many].tolist())]
    images = []
    for sign, index in chosen:
        seed = int(np.flatnonzero(apart[:, index] == sign)[0])
        name = None if names is None else names[index]
        images.append(_image(pairs[seed], index, name, sign > 0, sure[sign][index], abs(int(total[index]))))
    return Disagreements(*where, job, len(seeds), len(gained), len(lost), images)


def _confidences(pairs: Pairs, apart: NDArray[np.int8], sign: int) -> NDArray[np.float64]:
    """Return the row's mean confidence over the seeds that are apart, ``(N,)``; NaN if unknown."""
    unknown = np.full(apart.shape[1], np.nan)
    told = np.stack([unknown if own.confidence is None else own.confidence for own, _ in pairs])
    is_known = (apart == sign) & np.isfinite(told)
    counts = is_known.sum(axis=0)
    sums = np.where(is_known, told, 0.0).sum(axis=0, dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _ordered(total: NDArray[np.int64], sure: NDArray[np.float64], sign: int) -> NDArray[np.int64]:
    """Return the images gained (`sign` 1) or lost (-1): those of the most seeds first, then the surest."""
    candidates = np.flatnonzero(sign * total > 0)
    keys = (candidates, -np.nan_to_num(sure[candidates]), -sign * total[candidates])
    return candidates[np.lexsort(keys)]


def _image(
    pair: tuple[Answers, Answers],
    index: int,
    name: str | None,
    is_gain: bool,
    sure: float,
    seeds: int,
) -> Disagreement:
    own, other = pair
    best = () if own.best is None else own.best[index].tolist()
    return Disagreement(
        index=index,
        name=f"image {index}" if name is None else name,
        is_gain=is_gain,
        target=own.class_title(int(own.targets[index])),
        said=own.class_title(int(own.predictions[index])),
        other=other.class_title(int(other.predictions[index])),
        confidence=float(sure) if np.isfinite(sure) else None,
        seeds=seeds,
        best=tuple(own.class_title(number) for number in best),
        is_named=name is not None,
    )
