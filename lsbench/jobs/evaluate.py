"""Evaluate a trained variant, as it is trained or in a runtime; keeps the answers to each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lsbench.core.facets import Facets, drawn_by
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import Quantity
from lsbench.core.record import Record, measured
from lsbench.core.registry import METRICS
from lsbench.data.dataset import ImageFolders
from lsbench.engine.evaluation import PreprocessSpec
from lsbench.engine.runtime_spec import RuntimeSpec
from lsbench.metrics import Metric, as_metric
from lsbench.store.job_files import HEADS, PREDICTIONS


class EvaluateSpec(RuntimeSpec, PreprocessSpec):
    """Settings of an evaluation."""

    data_fields: ClassVar[tuple[str, ...]] = ("on",)
    later_fields: ClassVar[frozenset[str]] = RuntimeSpec.later_fields | {"on"}

    split: Literal["train", "val", "test"] = Field(
        default="test", description="split of the data set that is used"
    )
    metrics: tuple[str, ...] = Field(
        default=("top1", "top5"), min_length=1, description="see `lsbench list metrics`"
    )
    on: str | dict[str, Any] | None = Field(
        default=None,
        description="another data set with the variant's classes to test on: its name, or a mapping with "
        "`name` and its options; its images are resized to the variant's img_size unless it sets its own",
    )

    @field_validator("metrics")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        METRICS.check(value)
        return value

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        self.check_metrics(self.metrics)
        if not self.other_data():
            self.check_split(self.split)
        return self

    def own_splits(self) -> tuple[str, ...]:
        """Return the split that is evaluated, unless it is another data set's, and that of calibration."""
        return (*(() if self.other_data() else (self.split,)), *self.calibration_splits())

    def other_splits(self) -> tuple[str, ...]:
        """Return the split that is evaluated."""
        return (self.split,)


def run(context: JobContext) -> Sequence[Record]:
    """Evaluate the variant and return each metric over the split.

    If the data set covers only some classes, predictions are restricted to these first, and then taken over
    all classes: two protocols from one pass over the images.
    """
    from lsbench.engine.classify import (
        checkpoint_facet,
        create_eval_batches,
        create_tested,
        weights_setting,
    )
    from lsbench.engine.evaluator import evaluate_models
    from lsbench.engine.in_runtime import DeployedModel, LogitGap, calibration_images, deployed
    from lsbench.engine.open_data import open_tested
    from lsbench.engine.preprocessing import images_of
    from lsbench.models.earlier_weights import conditions
    from lsbench.models.weights_digest import weights_sha256

    spec: EvaluateSpec = context.spec
    other = next(iter(spec.other_data()), None)
    own, tested = open_tested(context, other)
    tested.require([spec.split])
    if spec.calibrates:
        own.require(spec.calibration_splits())
    folders = tested.folders
    images = images_of(context, tested, img_size=(other or {}).get("img_size"))
    batches: Any = create_eval_batches(
        tested,
        spec.split,
        batch_size=spec.batch_size,
        workers=spec.data_workers,
        at_most=None if context.job.limit is None else context.job.limit * spec.batch_size,
        preprocessing=images.chosen,
    )
    metrics = {name: as_metric(METRICS.load(name)) for name in spec.metrics}
    size = None if images.chosen is None else images.chosen.img_size
    model = create_tested(context, own, spec.weights, same_classes=True, img_size=size)
    setting: dict[str, Any] = {
        "weights_sha256": weights_sha256(model.state_dict()),
        **weights_setting(context, model),
    }
    heads = (None,) if folders.subset is None else (folders.subset, None)
    side, gap = images.used.img_size, LogitGap()
    with deployed(
        context, model, side, lambda: calibration_images(spec, own, images.chosen, img_size=side)
    ) as ran:
        # Beside the model in a runtime the model itself sees the same images.
        models = (ran,) if spec.is_plain else (ran, model.to(context.device))
        found, *beside = evaluate_models(
            [one.to(context.device) for one in models],
            batches,
            {name: metric.for_images(images.mean, images.std) for name, metric in metrics.items()},
            heads,
            device=context.device,
            channels_last=spec.channels_last,
            on_batch=_progress(context, len(batches.paths)),
            on_logits=None if spec.is_plain else gap.add,
        )
        if isinstance(ran, DeployedModel):
            setting["prepared_s"] = dict(ran.seconds)
    _save_predictions(context, found, list(batches.paths), folders)
    records = []
    for number, (head, of_head) in enumerate(zip(heads, found, strict=True)):
        facets = Facets(
            split=spec.split,
            weights=spec.weights,
            checkpoint=checkpoint_facet(model, spec.weights),
            **images.facets,
            classes=None if folders.subset is None else len(head or folders.wnids),
            n=of_head.num_images,
            drawn=drawn_by(context.job.limit),
            more=conditions(model),
            version=str(JOB.version),
        )
        facets = spec.in_facets(facets, context.device, getattr(ran, "calibrated", None))
        where = {"facets": facets, "dataset": tested.name, "setting": setting}
        records += [_record(name, metric, of_head, **where) for name, metric in metrics.items()]
        records += [record for one in beside for record in _change_records(of_head, one[number], gap, where)]
    return records


def _change_records(found: Any, plain: Any, gap: Any, where: Mapping[str, Any]) -> list[Record]:
    """Return how predictions differ from those of the model as it is trained, on the same images."""
    from lsbench.stats.paired import over_images

    same = found.predictions == plain.predictions
    records = [
        measured("runtime_agreement", float(same.mean()), n=len(same), **where),
        measured("runtime_difference", gap.value, n=len(same), **where),
    ]
    if "top1" in found.scores:
        change = over_images(found.scores["top1"].astype("int8") - plain.scores["top1"].astype("int8"))
        interval: dict[str, Any] = {
            "ci_low": change.low,
            "ci_high": change.high,
            "ci_method": "paired bootstrap 95%, over images",
        }
        records.append(measured("top1_change", change.value, n=change.images, **interval, **where))
    return records


def _progress(context: JobContext, images: int) -> Callable[[int], None]:
    """Return a callback that reports after each batch how many images are done."""
    import time

    started = time.monotonic()

    def on_batch(seen: int) -> None:
        rate = seen / (time.monotonic() - started)
        context.emit({"ev": "step", "step": seen, "steps": images, "images_per_s": round(rate, 1)})

    return on_batch


def _save_predictions(
    context: JobContext, found: Sequence[Any], paths: list[str], folders: ImageFolders
) -> None:
    """Write per-image results; the hash of the file list proves that two runs saw the same images.

    With two protocols, names of arrays over the whole head start with ``whole_``. For what each array holds,
    see :class:`lsbench.store.answers.Answers`.
    """
    import numpy as np

    from lsbench.core.atomic import atomic_write
    from lsbench.store.answers import packed_answers

    arrays: dict[str, Any] = {
        "images_sha256": np.array(content_hash(paths, length=64)),
        "names": np.array(paths),
        "classes": np.array(folders.wnids),
        **({} if folders.titles is None else {"titles": np.array(folders.titles)}),
    }
    for start, of_head in zip(HEADS, found, strict=False):
        answers = packed_answers(of_head.targets, of_head.predictions, of_head.best, of_head.confidence)
        arrays |= {f"{start}{name}": values for name, values in answers.items()}
        arrays |= {f"{start}score_{name}": values for name, values in of_head.scores.items()}
    with atomic_write(context.folder / PREDICTIONS) as file:
        np.savez_compressed(file, **arrays)


def _record(name: str, metric: Metric, found: Any, **where: Any) -> Record:
    from lsbench.engine.intervals import interval_of

    values = found.scores[name]
    # Only a fraction of correct images is surely a mean over images, and has the interval of one.
    interval = interval_of(values) if values.dtype == bool else {}
    return measured(name, metric.aggregate(values), n=found.num_images, **interval, **where)


QUANTITIES = (
    Quantity(
        "top1_change",
        "difference",
        True,
        "top-1 in the runtime minus PyTorch in fp32 (points)",
        100.0,
        short_title="vs. PyTorch (points)",
        is_headline=True,
        is_paired=True,
    ),
)


def cost(spec: EvaluateSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs: one pass over the images, two in a runtime, and more for attacks on them."""
    passes = (1 if spec.is_plain else 2) + sum(as_metric(METRICS.load(name)).passes for name in spec.metrics)
    return macs * images(spec.split) * passes


JOB = JobKind(
    spec=EvaluateSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=24 * 60),
    usual=("top1",),
    place=10,
)
