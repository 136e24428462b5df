"""Evaluate a trained variant; keeps for each image whether it was right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.record import Record, measured
from lsbench.core.registry import METRICS
from lsbench.engine.evaluation import EvaluationSpec

PREDICTIONS = "predictions.npz"


class EvaluateSpec(EvaluationSpec):
    """Settings of an evaluation."""

    split: Literal["train", "val", "test"] = "test"
    metrics: tuple[str, ...] = Field(default=("top1", "top5"), min_length=1)

    @field_validator("metrics")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        METRICS.check(value)
        return value


def run(context: JobContext) -> Sequence[Record]:
    """Evaluate the trained variant and return the mean of each metric over the split."""
    import time

    from lsbench.data.preflight import check_data
    from lsbench.engine.classify import create_eval_batches, create_tested, data_root, dataset_of
    from lsbench.engine.evaluator import evaluate
    from lsbench.engine.weights import weights_sha256

    spec: EvaluateSpec = context.spec
    check_data(*dataset_of(context), data_root(context), splits=[spec.split]).require()
    batches: Any = create_eval_batches(
        context, spec.split, batch_size=spec.batch_size, workers=spec.data_workers
    )
    started = time.monotonic()
    limit = context.job.limit
    images = len(batches.paths) if limit is None else min(len(batches.paths), limit * spec.batch_size)

    def on_batch(seen: int) -> None:
        rate = seen / (time.monotonic() - started)
        context.emit({"ev": "step", "step": seen, "steps": images, "images_per_s": round(rate, 1)})

    model = create_tested(context, spec.weights)
    sha256 = weights_sha256(model.state_dict())
    found = evaluate(
        model.to(context.device),
        batches,
        {name: METRICS.load(name) for name in spec.metrics},
        device=context.device,
        limit=limit,
        channels_last=spec.channels_last,
        on_batch=on_batch,
    )
    _, dataset = dataset_of(context)
    paths = list(batches.paths)[: found.num_images]
    _save_predictions(context, found, paths)
    protocol = f"{spec.split}{spec.weights_mark}|res={dataset.img_size}|n={found.num_images}|v{JOB.version}"
    where = {"protocol": protocol, "dataset": str(dataset.name), "setting": {"weights_sha256": sha256}}
    return [_record(name, found, **where) for name in spec.metrics]


def _save_predictions(context: JobContext, found: Any, paths: list[str]) -> None:
    """Write per-image results; the hash of the file list proves that two runs saw the same images."""
    import numpy as np

    from lsbench.store.atomic import atomic_write

    images = np.array(content_hash(paths, length=64))
    scores = {f"score_{name}": values for name, values in found.scores.items()}
    with atomic_write(context.folder / PREDICTIONS) as file:
        np.savez_compressed(
            file, targets=found.targets, predictions=found.predictions, images_sha256=images, **scores
        )


def _record(name: str, found: Any, **where: Any) -> Record:
    low, high, method = _interval(found.scores[name])
    return measured(
        name,
        found.mean(name),
        n=found.num_images,
        ci_low=low,
        ci_high=high,
        ci_method=method,
        **where,
    )


def _interval(values: Any) -> tuple[float | None, float | None, str | None]:
    """Return the 95 % Wilson interval of a share of right images; other metrics get none."""
    if values.dtype != bool:
        return None, None, None
    from scipy.stats import binomtest

    interval = binomtest(int(values.sum()), len(values)).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high), "wilson 95%, over images"


def cost(spec: EvaluateSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of an evaluation."""
    return macs * images(spec.split)


JOB = JobKind(
    spec=EvaluateSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=24 * 60),
)
