"""Detectors and segmenters on corrupted images: mPC, rPC, and the performance under each condition.

Images are corrupted live, in the size of their files and before they are resized, as the benchmark does it.

Source:
    Michaelis et al., Benchmarking Robustness in Object Detection, 2019, arXiv:1907.07484.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.atomic import atomic_write
from lsbench.core.facets import Facets
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured
from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.engine.distributed import current_world, from_first_rank
from lsbench.engine.downstream_run import Bench, Further, SplitScores, interval_over
from lsbench.engine.downstream_spec import DownstreamSpec
from lsbench.models.downstream.model import DownstreamModel
from lsbench.robustness.spec import number_or_each, which_corruptions
from lsbench.robustness.views import pixel_versions
from lsbench.stats.corrupted import Condition, mean_performance, relative_performance

#: Folder of the finished conditions in the job's own.
CELLS = "cells"
#: All conditions of the benchmark: of fewer, mPC and rPC are withheld.
COMPLETE: tuple[Condition, ...] = tuple((name, severity) for name in BENCHMARK for severity in SEVERITIES)
#: Raised by numpy and zipfile on a file that is torn or of another format.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ConditionTest:
    """The test under one condition.

    Attributes:
        numbers: Metric -> its value; None where it has none.
        resampled: Metric -> values over resampled images, shape ``(R,)``.
    """

    numbers: Mapping[str, float | None]
    resampled: Mapping[str, NDArray[np.float64]]


def further_tests(
    context: JobContext, bench: Bench, model: DownstreamModel, clean: SplitScores, weights_sha256: str
) -> Further:
    """Return the tests of a model on corrupted images; finished conditions are read from the job's folder.

    All ranks share each test. Only the first one's answer counts.

    Args:
        context: The job, with the corruptions to test under.
        bench: The task on its data.
        model: On its device.
        clean: Its test without corruption.
        weights_sha256: Hash of its weights.
    """
    spec: DownstreamSpec = context.spec
    kept = _Kept(
        context.folder / CELLS,
        content_hash([weights_sha256, clean.paths, spec.corruption_family, pixel_versions()]),
    )
    cells: dict[Condition, ConditionTest] = {}
    for number, condition in enumerate(spec.conditions):
        known = kept.read(condition, tuple(bench.robust)) if current_world().is_first else None
        if not from_first_rank(known is not None):
            name, severity = condition
            what = f"{name}, severity {severity}"
            context.emit({"ev": "step", "step": number, "steps": len(spec.conditions), "what": what})
            tested = bench.test(model, spec.split, condition=condition)
            if current_world().is_first:
                known = _cell(tested, tuple(bench.robust))
                kept.write(condition, known)
        if known is not None:
            cells[condition] = known
    return _further(bench, clean, cells, spec)


def _cell(tested: SplitScores, metrics: tuple[str, ...]) -> ConditionTest:
    resampled = tested.resampled()
    return ConditionTest(
        {name: tested.numbers.get(name) for name in metrics},
        {name: resampled[name] for name in metrics if name in resampled},
    )


def _further(
    bench: Bench, clean: SplitScores, cells: Mapping[Condition, ConditionTest], spec: DownstreamSpec
) -> Further:
    """Return numbers over all conditions, those over resampled images, and the records of the conditions."""
    numbers: dict[str, float | None] = {}
    resampled: dict[str, NDArray[np.float64]] = {}
    of_clean = clean.resampled()
    for metric, (mean_name, relative_name) in bench.robust.items():
        values = {condition: cell.numbers[metric] for condition, cell in cells.items()}
        drawn = {condition: cell.resampled.get(metric) for condition, cell in cells.items()}
        mean, means = mean_performance(values, COMPLETE), mean_performance(drawn, COMPLETE)
        numbers[mean_name] = mean
        numbers[relative_name] = relative_performance(mean, clean.numbers.get(metric))
        if means is None or metric not in of_clean:
            continue
        positive = np.where(of_clean[metric] > 0, of_clean[metric], np.nan)
        resampled |= {mean_name: means, relative_name: means / positive}

    def records(facets: Facets, where: Mapping[str, Any], setting: Mapping[str, Any]) -> Iterator[Record]:
        told = facets.model_copy(
            update={
                **which_corruptions(spec.corrupted_by),
                "severities": number_or_each(spec.severities),
                "family": spec.corruption_family,
            }
        )
        made = {**setting, **pixel_versions()}
        for name, value in numbers.items():
            interval = {} if value is None else interval_over(resampled.get(name))
            yield measured(name, value, facets=told, setting=made, **interval, **where)
        for metric in bench.robust:
            yield from _of_conditions(metric, cells, told, where)

    return Further(numbers, resampled, records)


def _of_conditions(
    metric: str, cells: Mapping[Condition, ConditionTest], facets: Facets, where: Mapping[str, Any]
) -> Iterator[Record]:
    """Yield a metric of each corruption, over the severities that were asked for, and of each condition."""
    values = {condition: cell.numbers[metric] for condition, cell in cells.items()}
    drawn = {condition: cell.resampled.get(metric) for condition, cell in cells.items()}
    for corruption in dict.fromkeys(name for name, _ in cells):
        own = [condition for condition in cells if condition[0] == corruption]
        mean = mean_performance(values, own)
        interval = {} if mean is None else interval_over(mean_performance(drawn, own))
        yield measured(metric, mean, facets=facets.of_corruption(corruption), **interval, **where)
    for (corruption, severity), value in values.items():
        interval = {} if value is None else interval_over(drawn[corruption, severity])
        part = facets.of_corruption(corruption, severity)
        yield measured(metric, value, facets=part, **interval, **where)


class _Kept:
    """The finished conditions in a folder, one file each."""

    def __init__(self, folder: Path, stamp: str) -> None:
        """Use the files in `folder`; those with another stamp than what the tests depend on are ignored."""
        self._folder, self._stamp = folder, stamp

    def read(self, condition: Condition, metrics: tuple[str, ...]) -> ConditionTest | None:
        """Return a finished condition, or None if it is missing, damaged, or of something else."""
        try:
            with np.load(self._path(condition), allow_pickle=False) as file:
                if str(file["stamp"]) != self._stamp:
                    return None
                values = {name: float(file[f"value_{name}"]) for name in metrics}
                drawn = {name: file[f"resampled_{name}"] for name in metrics if f"resampled_{name}" in file}
        except DAMAGED:
            return None
        return ConditionTest({name: None if np.isnan(one) else one for name, one in values.items()}, drawn)

    def write(self, condition: Condition, cell: ConditionTest) -> None:
        """Keep a finished condition."""
        arrays: dict[str, Any] = {"stamp": np.array(self._stamp)}
        arrays |= {
            f"value_{name}": np.array(np.nan if one is None else one) for name, one in cell.numbers.items()
        }
        arrays |= {f"resampled_{name}": values for name, values in cell.resampled.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._path(condition)) as file:
            np.savez_compressed(file, **arrays)

    def _path(self, condition: Condition) -> Path:
        return self._folder / f"{condition[0]}-{condition[1]}.npz"
