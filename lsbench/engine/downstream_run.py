"""Train a detector or segmenter, test it over a whole split, and make its records.

Shapes: I images, R resamples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lsbench.core.facets import Facets, drawn_by
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured
from lsbench.engine.checkpoints import checkpoints_of
from lsbench.engine.curves import Curves
from lsbench.engine.distributed import current_world
from lsbench.engine.downstream import OnBatch, create_own, open_own
from lsbench.engine.downstream_spec import FROM_TRAINING, DownstreamSpec
from lsbench.engine.named_losses import NamedLosses
from lsbench.engine.open_data import OpenData
from lsbench.engine.trainer import EpochLoader, Trainer
from lsbench.models.downstream.model import DownstreamModel
from lsbench.models.weights_digest import weights_sha256
from lsbench.stats.corrupted import Condition
from lsbench.stats.resampled import RESAMPLES, draw_images
from lsbench.stats.seeds import LEVEL
from lsbench.store.resampled_numbers import write_resampled

OVER_IMAGES = f"bootstrap {LEVEL:.0%}, over images"
#: Numbers by metric; None where they are unknown.
Numbers = Mapping[str, float | None]


@dataclass(frozen=True)
class SplitScores:
    """A model's test over a split.

    Attributes:
        numbers: Numbers over all images.
        of_classes: Class -> its numbers over all images.
        paths: The images, in order.
        over: Returns numbers over images that each count as often as it is told, shape ``(I,)``; a number
            without one has no interval.
        write: Writes what the model found in each image into a folder.
    """

    numbers: Numbers
    of_classes: Mapping[str, Numbers]
    paths: tuple[str, ...]
    over: Callable[[NDArray[np.int64]], Numbers]
    write: Callable[[Path], None]
    _resampled: dict[int, dict[str, NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def num_images(self) -> int:
        """Image count."""
        return len(self.paths)

    def resampled(self, resamples: int = RESAMPLES) -> dict[str, NDArray[np.float64]]:
        """Return numbers over resampled images by metric, shape ``(R,)``; NaN where there is none.

        All tests of the same number of images share the resamples, so that two models are compared in pairs.
        """
        if resamples not in self._resampled:
            rows = [self.over(weights) for weights in draw_images(self.num_images, resamples)]
            names = dict.fromkeys(name for row in rows for name in row)
            self._resampled[resamples] = {name: _values(name, rows) for name in names}
        return self._resampled[resamples]


def _values(name: str, rows: Iterable[Numbers]) -> NDArray[np.float64]:
    """Return a number of each row, NaN where it has none."""
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


class Bench(Protocol):
    """What a job knows about its task: the batches to train on, and how a model is tested."""

    @property
    def validated(self) -> Mapping[str, str]:
        """Metric of a test -> name of its values during a training."""

    def train_batches(self) -> EpochLoader:
        """Return this rank's batches of the training split."""

    @property
    def robust(self) -> Mapping[str, tuple[str, str]]:
        """Metric of a test -> names of its mean under corruption (mPC) and of that relative to it (rPC)."""

    def test(
        self,
        model: DownstreamModel,
        split: str,
        *,
        condition: Condition | None = None,
        on_batch: OnBatch | None = None,
    ) -> SplitScores:
        """Return the test of a model over a split; all ranks share it, and all return it.

        Args:
            model: On its device.
            split: Name of the split.
            condition: Corruption and severity of the images; None: they are as they are.
            on_batch: Told the progress after each batch.
        """


class MakeRecords(Protocol):
    """Makes the records of further tests."""

    def __call__(
        self, facets: Facets, where: Mapping[str, Any], setting: Mapping[str, Any]
    ) -> Iterable[Record]:
        """Return the records.

        Args:
            facets: Those of the test over the whole split.
            where: Data set and image count.
            setting: Setting of the numbers over all conditions.
        """


@dataclass(frozen=True)
class Further:
    """Further tests of a model after the one over the split.

    Attributes:
        numbers: Numbers over all of them.
        resampled: Metric -> the same over resampled images, shape ``(R,)``, for comparisons.
        records: Makes their records.
    """

    numbers: Numbers
    resampled: Mapping[str, NDArray[np.float64]]
    records: MakeRecords


#: Runs further tests: of the job, its task, its model, the test over the split and the hash of the weights.
FurtherTests = Callable[[JobContext, Bench, DownstreamModel, SplitScores, str], Further]


@dataclass
class _LastTest:
    """The last test of a training, which need not be done again if it was of the same images."""

    update: int = -1
    place: Path | None = None
    found: SplitScores | None = None

    def of(self, update: int, place: Path) -> SplitScores | None:
        """Return the test if it was after this update, and on the images of this place."""
        return self.found if (self.update, self.place) == (update, place) else None


def train_and_test(
    context: JobContext,
    create_bench: Callable[[JobContext, OpenData], Bench],
    *,
    version: int,
    further: FurtherTests,
) -> list[Record]:
    """Train the job's model, unless it is a checkpoint, test it, and return the records.

    Args:
        context: The job.
        create_bench: Returns the task of the job on its data.
        version: Version of the job's kind.
        further: Tests under the corruptions that the job names.
    """
    spec: DownstreamSpec = context.spec
    data = open_own(context)
    data.require(spec.other_splits(), masks=spec.reads_masks())
    bench = create_bench(context, data)
    model = create_own(context, data.num_classes)
    records: list[Record] = []
    known = _LastTest()
    facets = _facets(context, data, version)
    if spec.is_trained:
        trainer = _create_trainer(context, model, bench)
        curves = Curves(context, {name: name for name in bench.validated.values()})
        history = curves.follow(trainer, _validation(bench, data, trainer, known))
        trainer.save_weights(context.folder)
        curves.write(trainer, weights_sha256=weights_sha256(trainer.model.state_dict()))
        of_training = facets.without("split", "res")
        records += _of_training(history, curves, data.name, of_training, trainer.model)
        model = cast(DownstreamModel, trainer.model)
        tested = known.of(trainer.progress.update, data.prepared.split(spec.split))
    else:
        model, tested = model.to(context.device), None
    tested = tested or bench.test(model, spec.split, on_batch=_progress(context))
    sha256 = weights_sha256(model.state_dict())
    more = further(context, bench, model, tested, sha256) if spec.conditions else None
    if not current_world().is_first:
        return []
    tested.write(context.folder)
    setting = {"weights_sha256": sha256, **_origin(context)}
    return records + list(_of_test(context.folder, tested, more, data.name, facets, setting))


def _create_trainer(context: JobContext, model: nn.Module, bench: Bench) -> Trainer:
    spec: DownstreamSpec = context.spec
    return Trainer(
        model,
        spec,
        bench.train_batches(),
        checkpoints_of(context.folder, spec.checkpoint_url),
        NamedLosses(),
        seed=context.job.seed or 0,
        device=context.device,
        limit=context.job.limit,
    )


def _validation(
    bench: Bench, data: OpenData, trainer: Trainer, known: _LastTest
) -> Callable[[nn.Module], dict[str, float]]:
    """Return the function that validates a model, and notes its test."""

    def validate(model: nn.Module) -> dict[str, float]:
        found = bench.test(cast(DownstreamModel, model), "val")
        known.update, known.place, known.found = trainer.progress.update, data.prepared.split("val"), found
        values = {name: found.numbers.get(metric) for metric, name in bench.validated.items()}
        return {
            **{name: value for name, value in values.items() if value is not None},
            "val_images": found.num_images,
        }

    return validate


def _facets(context: JobContext, data: OpenData, version: int) -> Facets:
    """Return the conditions of the test."""
    spec: DownstreamSpec = context.spec
    more: dict[str, Any] = {}
    if spec.is_trained:
        backbone = spec.backbone_weights
        if backbone != FROM_TRAINING:
            more["backbone"] = backbone if not spec.weights_files({"backbone_weights": backbone}) else "file"
        if spec.iterations is not None:
            more["iterations"] = spec.iterations
    is_trained = spec.is_trained
    return Facets(
        method=spec.model_kind,
        split=spec.split,
        weights=None if spec.checkpoint is None else "pretrained",
        epochs=spec.epochs if is_trained and spec.iterations is None else None,
        batch_size=spec.batch_size if is_trained else None,
        lr=spec.lr if is_trained else None,
        res=data.img_size,
        drawn=drawn_by(context.job.limit),
        more=more,
        version=str(version),
    )


def _origin(context: JobContext) -> dict[str, Any]:
    """Return where the weights of the backbone, or all weights, are from."""
    spec: DownstreamSpec = context.spec
    if not spec.is_trained:
        return {"weights_from": spec.checkpoint or spec.trained_by}
    return {"backbone_weights": spec.backbone_weights}


def _of_training(
    history: list[dict[str, float]], curves: Curves, dataset: str, facets: Facets, model: nn.Module
) -> Iterable[Record]:
    last = history[-1]
    setting: dict[str, Any] = {"weights_sha256": weights_sha256(model.state_dict())}
    if "lr_scale" in last:
        setting["lr_scale"] = last["lr_scale"]
    yield measured("train_loss", last["loss"], dataset=dataset, facets=facets, setting=setting)
    yield from curves.records(history, dataset=dataset, facets=facets)


def _of_test(
    folder: Path,
    tested: SplitScores,
    more: Further | None,
    dataset: str,
    facets: Facets,
    setting: Mapping[str, Any],
) -> Iterable[Record]:
    """Yield the records of a test, after writing the numbers over resampled images for comparisons."""
    resampled = tested.resampled()
    images = content_hash(list(tested.paths), length=64)
    every = {**tested.numbers, **(more.numbers if more else {})}
    kept = {**resampled, **(more.resampled if more else {})}
    write_resampled(folder, images, tested.num_images, every, kept)
    whole = facets.model_copy(update={"n": tested.num_images})
    shared: dict[str, Any] = {"dataset": dataset, "n": tested.num_images}
    for name, value in tested.numbers.items():
        interval = {} if value is None else interval_over(resampled.get(name))
        yield measured(name, value, facets=whole, setting=dict(setting), **interval, **shared)
    for label, numbers in tested.of_classes.items():
        for name, value in numbers.items():
            yield measured(
                name, value, facets=whole.of_category(label), setting={"category": label}, **shared
            )
    if more is not None:
        yield from more.records(whole, shared, setting)


def interval_over(resampled: NDArray[np.float64] | None) -> dict[str, Any]:
    """Return ``ci_low``, ``ci_high`` and ``ci_method`` of a number from those over resampled images.

    Args:
        resampled: Shape ``(R,)``; None or all NaN: no interval.
    """
    known = np.empty(0) if resampled is None else resampled[np.isfinite(resampled)]
    if not known.size or float(known.min()) == float(known.max()):
        return {}  # the spread of one image is unknown, not zero
    tail = (1 - LEVEL) / 2
    low, high = (float(end) for end in np.quantile(known, [tail, 1 - tail]))
    return {"ci_low": low, "ci_high": high, "ci_method": OVER_IMAGES}


def _progress(context: JobContext) -> OnBatch:
    """Return a callback that reports after each batch how many images are tested."""
    started = time.monotonic()

    def on_batch(seen: int, images: int) -> None:
        rate = seen / max(time.monotonic() - started, 1e-9)
        context.emit({"ev": "step", "step": seen, "steps": images, "images_per_s": round(rate, 1)})

    return on_batch
