"""Segmentation as a job sees it: batches of images with label maps, and mIoU of a segmenter.

Shapes: I images, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.atomic import atomic_write
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.loading.target_loader import TargetTrainLoader
from lsbench.data.loading.train_order import TrainOrder
from lsbench.data.segmentation.folders import LabelMapFolders
from lsbench.data.segmentation.loader import create_eval_loader, create_train_loader
from lsbench.data.segmentation.samples import open_split
from lsbench.data.segmentation.transforms import create_train_transform
from lsbench.engine.classify import usable_workers
from lsbench.engine.corrupted_files import CorruptedFiles
from lsbench.engine.distributed import current_world
from lsbench.engine.downstream import OnBatch, predict_all, prepared_as, shares_of
from lsbench.engine.downstream_run import SplitScores
from lsbench.engine.open_data import OpenData
from lsbench.metrics.segmentation.confusion import ClassPixels, count_confusion
from lsbench.models.downstream.model import DownstreamModel
from lsbench.stats.corrupted import Condition
from lsbench.store.job_files import CONFUSION

#: Numbers of each class -> metric of their records.
OF_CLASSES = {"iou": "class_iou", "accuracy": "class_accuracy"}


class SegmentationBench:
    """Trains and tests a segmenter on the data of a job."""

    validated: Mapping[str, str] = {"miou": "val_miou", "pixel_accuracy": "val_pixel_accuracy"}
    robust: Mapping[str, tuple[str, str]] = {"miou": ("semantic_fpn_mpc", "semantic_fpn_rpc")}

    def __init__(self, context: JobContext, data: OpenData) -> None:
        """Prepare the data.

        Args:
            context: The job.
            data: Its data set.

        Raises:
            ConfigError: If the data set is for another task.
        """
        self._context, self._spec = context, context.spec
        self._data = prepared_as(LabelMapFolders, data)
        self._scaling = Scaling(data.img_size, data.spec.max_size, self._data.mean, self._data.std)

    def train_batches(self) -> TargetTrainLoader:
        """Return this rank's batches of the training split."""
        spec, world = self._spec, current_world()
        split = open_split(self._data, "train")
        order = TrainOrder(
            len(split),
            seed=self._context.job.seed or 0,
            batch_size=spec.batch_size,
            chunks=spec.chunks(world.size),
            rank=world.rank,
            world_size=world.size,
        )
        transform = create_train_transform(
            self._scaling,
            crop=spec.crop or self._scaling.img_size,
            factors=spec.scales,
            most=spec.one_class_at_most,
            flip=spec.flip,
            distort=spec.distort,
        )
        return create_train_loader(split, transform, order, num_workers=usable_workers(spec.data_workers))

    def test(
        self,
        model: DownstreamModel,
        split: str,
        *,
        condition: Condition | None = None,
        on_batch: OnBatch | None = None,
    ) -> SplitScores:
        """Return mIoU and accuracies over a split; see :class:`lsbench.engine.downstream_run.Bench`."""
        spec, limit = self._spec, self._context.job.limit
        few = self._data.at_most(None if limit is None else limit * spec.batch_size)
        opened = open_split(few, split)
        if condition is not None:
            files = CorruptedFiles.of(opened.images, *condition, spec.corruption_family)
            opened = replace(opened, images=files)
        loader = create_eval_loader(opened, self._scaling, **shares_of(spec))

        def confusion(one: dict[str, Any], target: Any) -> SparseConfusion:
            predicted = one["label_map"].numpy().astype(np.uint8)
            return SparseConfusion.of(count_confusion(target.numpy(), predicted, self._data.num_classes))

        found = predict_all(
            model,
            loader,
            confusion,
            device=self._context.device,
            channels_last=spec.channels_last,
            on_batch=on_batch,
        )
        return self._tested(found, opened.paths)

    def _tested(self, found: list[SparseConfusion], paths: tuple[str, ...]) -> SplitScores:
        num_classes = self._data.num_classes
        pixels = class_pixels(found, num_classes)
        of_all = pixels.of_classes()
        of_classes = {
            label: {
                metric: float(of_all[name][place]) if np.isfinite(of_all[name][place]) else None
                for name, metric in OF_CLASSES.items()
            }
            for place, label in enumerate(self._data.classes)
        }

        def write(folder: Path) -> None:
            arrays: dict[str, Any] = {
                "images_sha256": np.array(content_hash(list(paths), length=64)),
                "names": np.array(paths),
                "classes": np.array(self._data.classes),
                "confusion": sum(one.dense(num_classes) for one in found),
                **pixels.to_arrays(),
            }
            with atomic_write(folder / CONFUSION) as file:
                np.savez_compressed(file, **arrays)

        return SplitScores(pixels.numbers(), of_classes, paths, pixels.numbers, write)


class SparseConfusion:
    """The confusion of one image, of which few pairs of classes occur."""

    def __init__(self, places: NDArray[np.int32], counts: NDArray[np.int64]) -> None:
        self.places, self.counts = places, counts

    @classmethod
    def of(cls, confusion: NDArray[np.int64]) -> SparseConfusion:
        """Return a confusion ``(K, K)`` in little memory."""
        places = np.flatnonzero(confusion).astype(np.int32)
        return cls(places, confusion.ravel()[places])

    def dense(self, num_classes: int) -> NDArray[np.int64]:
        """Return the confusion, shape ``(K, K)``."""
        flat = np.zeros(num_classes**2, np.int64)
        flat[self.places] = self.counts
        return flat.reshape(num_classes, num_classes)


def class_pixels(found: list[SparseConfusion], num_classes: int) -> ClassPixels:
    """Return the pixel counts of each image and class from the confusion of each image."""
    parts = [ClassPixels.of(one.dense(num_classes)[None]) for one in found]
    return ClassPixels(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("right", "true", "predicted"))
    )
