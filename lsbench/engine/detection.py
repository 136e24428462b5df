"""Detection as a job sees it: batches of images with boxes and masks, and COCO's numbers of a detector.

Shapes: I images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.atomic import atomic_write
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.detection.loader import create_eval_loader, create_train_loader
from lsbench.data.detection.order import GroupedOrder
from lsbench.data.detection.samples import open_split
from lsbench.data.detection.truth import to_detections, true_objects
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.loading.target_loader import TargetTrainLoader
from lsbench.detection import metric_name
from lsbench.engine.classify import usable_workers
from lsbench.engine.corrupted_files import CorruptedFiles
from lsbench.engine.distributed import current_world
from lsbench.engine.downstream import OnBatch, predict_all, prepared_as, shares_of
from lsbench.engine.downstream_run import Numbers, SplitScores
from lsbench.engine.open_data import OpenData
from lsbench.metrics.detection.coco import CocoScores, evaluate_detections
from lsbench.metrics.detection.matches import Matches
from lsbench.metrics.detection.numbers import Region
from lsbench.metrics.detection.objects import Detections
from lsbench.models.downstream.model import DownstreamModel
from lsbench.stats.corrupted import Condition
from lsbench.store.job_files import DETECTIONS

#: Images of one orientation that follow each other, if a recipe names no batch of a device.
GROUP = 2
#: The numbers of a class that are kept as records.
OF_CLASSES = ("ap", "ap50")
#: Numbers with an interval -> range of area and places of the thresholds.
RESAMPLED: Mapping[str, tuple[str, slice]] = {
    "ap": ("all", slice(None)),
    "ap50": ("all", slice(0, 1)),
    "ap75": ("all", slice(5, 6)),
    "ap_small": ("small", slice(None)),
    "ap_medium": ("medium", slice(None)),
    "ap_large": ("large", slice(None)),
}


class DetectionBench:
    """Trains and tests a detector on the data of a job."""

    def __init__(self, context: JobContext, data: OpenData) -> None:
        """Prepare the data.

        Args:
            context: The job.
            data: Its data set.

        Raises:
            ConfigError: If the data set is for another task.
        """
        self._context, self._spec = context, context.spec
        self._data = prepared_as(DetectionFiles, data)
        self._scaling = Scaling(data.img_size, data.spec.max_size, self._data.mean, self._data.std)
        self._regions: tuple[Region, ...] = ("box", "mask") if self.has_masks else ("box",)

    @property
    def has_masks(self) -> bool:
        """Whether the detector finds masks."""
        return bool(self._spec.model_kind == "maskrcnn")

    @property
    def validated(self) -> Mapping[str, str]:
        """Metric of a test -> name of its values during a training."""
        named = {self._metric("ap", "box"): "val_ap", self._metric("ap50", "box"): "val_ap50"}
        return {**named, self._metric("ap", "mask"): "val_mask_ap"} if self.has_masks else named

    def train_batches(self) -> TargetTrainLoader:
        """Return this rank's batches of the training split."""
        spec, world = self._spec, current_world()
        split = open_split(self._data, "train", with_masks=self.has_masks, for_training=True)
        order = GroupedOrder(
            split.is_wide(),
            seed=self._context.job.seed or 0,
            batch_size=spec.batch_size,
            group_size=math.gcd(spec.batch_size, spec.device_batch_size or GROUP),
            chunks=spec.chunks(world.size),
            rank=world.rank,
            world_size=world.size,
        )
        workers = usable_workers(spec.data_workers)
        return create_train_loader(split, self._scaling, order, flip=spec.flip, num_workers=workers)

    @property
    def robust(self) -> Mapping[str, tuple[str, str]]:
        """Metric of a test -> names of its mPC and rPC."""
        return {
            self._metric("ap", region): (self._metric("mpc", region), self._metric("rpc", region))
            for region in self._regions
        }

    def test(
        self,
        model: DownstreamModel,
        split: str,
        *,
        condition: Condition | None = None,
        on_batch: OnBatch | None = None,
    ) -> SplitScores:
        """Return COCO's numbers over a split; see :class:`lsbench.engine.downstream_run.Bench`."""
        spec, limit = self._spec, self._context.job.limit
        few = self._data.at_most(None if limit is None else limit * spec.batch_size)
        opened = open_split(few, split, with_masks=self.has_masks, for_training=False)
        if condition is not None:
            files = CorruptedFiles.of(opened.files, *condition, spec.corruption_family)
            opened = replace(opened, files=files)
        loader = create_eval_loader(opened, self._scaling, **shares_of(spec))
        found = predict_all(
            model,
            loader,
            lambda one, _: to_detections(**one),
            device=self._context.device,
            channels_last=spec.channels_last,
            on_batch=on_batch,
        )
        truth = true_objects(opened)
        scores: dict[Region, CocoScores] = {
            region: evaluate_detections(
                truth, found, self._data.num_classes, region=region, threads=spec.threads
            )
            for region in self._regions
        }
        return self._tested(scores, found, opened.paths)

    def _tested(
        self, scores: Mapping[Region, CocoScores], found: list[Detections], paths: tuple[str, ...]
    ) -> SplitScores:
        numbers = {
            self._metric(name, region): value
            for region, one in scores.items()
            for name, value in one.numbers.items()
        }
        of_classes = {
            label: {
                self._metric(name, region): _known(one.of_classes[name][place])
                for region, one in scores.items()
                for name in OF_CLASSES
            }
            for place, label in enumerate(self._data.categories)
        }
        matches = {region: one.matches for region, one in scores.items()}

        def over(weights: NDArray[np.int64]) -> Numbers:
            return {
                self._metric(name, region): value
                for region, one in matches.items()
                for name, value in numbers_over(one, weights).items()
            }

        def write(folder: Path) -> None:
            write_detections(folder, found, matches, paths)

        return SplitScores(numbers, of_classes, paths, over, write)

    def _metric(self, number: str, region: Region) -> str:
        return metric_name(self._spec.model_kind, number, region if self.has_masks else None)


def numbers_over(matches: Matches, weights: NDArray[np.int64]) -> dict[str, float | None]:
    """Return COCO's average precisions over images that count several times, or not at all.

    Args:
        matches: Those of all images.
        weights: How often each image counts, shape ``(I,)``.
    """
    by_area = {area: matches.average_precisions(weights, area=area) for area in dict(RESAMPLED.values())}
    found: dict[str, float | None] = {}
    for name, (area, steps) in RESAMPLED.items():
        values = by_area[area][steps]
        known = values[np.isfinite(values)]
        found[name] = float(known.mean()) if known.size else None
    return found


def write_detections(
    folder: Path, found: list[Detections], matches: Mapping[Region, Matches], paths: tuple[str, ...]
) -> None:
    """Write what a detector found in each image, and the matches with the true objects.

    The detections of image ``i`` are those from ``first[i]`` to ``first[i + 1]``; masks are run lengths as
    COCO packs them, those of detection ``j`` from ``mask_first[j]`` to ``mask_first[j + 1]``.

    Args:
        folder: The job's folder.
        found: Detections of each image.
        matches: Their matches, for boxes and, of detectors with masks, for masks.
        paths: The images.
    """
    arrays: dict[str, Any] = {
        "images_sha256": np.array(content_hash(list(paths), length=64)),
        "names": np.array(paths),
        "first": np.cumsum([0, *(len(one.scores) for one in found)]),
        "boxes": np.concatenate([np.asarray(one.boxes, np.float32).reshape(-1, 4) for one in found]),
        "scores": np.concatenate([np.asarray(one.scores, np.float32) for one in found]),
        "labels": np.concatenate([np.asarray(one.labels, np.int32) for one in found]),
    }
    if "mask" in matches:
        runs = [run for one in found for run in one.masks or ()]
        arrays["mask_first"] = np.cumsum([0, *(len(run["counts"]) for run in runs)])
        arrays["mask_runs"] = np.frombuffer(b"".join(run["counts"] for run in runs), np.uint8)
        arrays["mask_sizes"] = np.array([run["size"] for run in runs], np.int32).reshape(-1, 2)
    for region, one in matches.items():
        arrays |= {f"{region}_{name}": values for name, values in one.to_arrays().items()}
    with atomic_write(folder / DETECTIONS) as file:
        np.savez_compressed(file, **arrays)


def _known(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
