"""Train a variant from scratch, or continue from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lsbench.core.facets import Facets, drawn_by
from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import Quantity, percentage
from lsbench.core.record import Record, measured
from lsbench.engine.recipe import Recipe
from lsbench.engine.training_spec import BACKWARD_FACTOR

if TYPE_CHECKING:
    from torch import nn

    from lsbench.engine.curves import Curves

#: Metric of the records of each validated epoch -> its key in the history.
VALIDATED = {"val_top1": "val_top1", "ema_val_top1": "ema_val_top1"}

#: Images to validate on for each image to train on, under a limit.
LIMITED = 4


def run(context: JobContext) -> Sequence[Record]:
    """Train the variant; return its final values, its best validation, and the values of every epoch."""
    from lsbench.engine.checkpoints import checkpoints_of
    from lsbench.engine.classify import (
        create_eval_batches,
        create_objective,
        create_train_batches,
        create_variant,
    )
    from lsbench.engine.curves import Curves
    from lsbench.engine.distributed import current_world
    from lsbench.engine.evaluator import evaluate
    from lsbench.engine.open_data import open_data
    from lsbench.engine.trainer import Trainer
    from lsbench.metrics.top1 import top1
    from lsbench.models.weights_digest import weights_sha256

    recipe: Recipe = context.spec
    data = open_data(context)
    model = create_variant(context, data)
    trainer = Trainer(
        model,
        recipe,
        create_train_batches(context, recipe, data),
        checkpoints_of(context.folder, recipe.checkpoint_url),
        create_objective(context, recipe, model, data),
        seed=context.job.seed or 0,
        device=context.device,
        limit=context.job.limit,
    )
    batches = create_eval_batches(
        data,
        "val",
        batch_size=recipe.device_batch(current_world().size),
        workers=recipe.data_workers,
        at_most=None if context.job.limit is None else context.job.limit * LIMITED * recipe.batch_size,
    )

    def validate(model: nn.Module) -> dict[str, float]:
        found = evaluate(
            model,
            batches,
            {"top1": top1},
            device=context.device,
            channels_last=recipe.channels_last,
        )
        return {"val_top1": found.mean("top1"), "val_images": found.num_images}

    curves = Curves(context, VALIDATED)
    history = curves.follow(trainer, validate)
    trainer.save_weights(context.folder)
    sha256 = weights_sha256(trainer.model.state_dict())
    curves.write(trainer, weights_sha256=sha256)
    return _records(context, curves, history, sha256)


def _records(
    context: JobContext, curves: Curves, history: list[dict[str, float]], sha256: str
) -> list[Record]:
    """Return the training's records: of the last and the best epoch, then of each epoch."""
    recipe: Recipe = context.spec
    facets = Facets(
        method="train",
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        drawn=drawn_by(context.job.limit),
        version=str(context.job.protocol_version),
    )
    dataset = str(context.job.variant.dataset["name"])
    setting: dict[str, Any] = {"weights_sha256": sha256}
    if "lr_scale" in history[-1]:
        setting["lr_scale"] = history[-1]["lr_scale"]
    shared: dict[str, Any] = {"dataset": dataset, "facets": facets}
    last = history[-1]
    n = int(last["val_images"])
    found = [
        measured("train_loss", last["loss"], setting=setting, **shared),
        measured("val_top1", last["val_top1"], n=n, **shared),
    ]
    best = max((entry for entry in history if "val_top1" in entry), key=lambda entry: entry["val_top1"])
    where = {"epoch": history.index(best) + 1}
    found.append(measured("best_val_top1", best["val_top1"], n=n, setting=where, **shared))
    if "ema_val_top1" in last:
        found.append(measured("ema_val_top1", last["ema_val_top1"], n=n, **shared))
    found += curves.records(history, dataset=dataset, facets=facets)
    return found


def cost(recipe: Recipe, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of a training."""
    return BACKWARD_FACTOR * macs * recipe.epochs * images("train")


QUANTITIES = (
    percentage("val_top1", "val top-1"),
    percentage("ema_val_top1", "EMA val top-1"),
    percentage("best_val_top1", "best val top-1"),
    Quantity("train_loss", "nat", False, "train loss", digits=4),
    Quantity("lr", "", None, "learning rate", digits=6),
    Quantity(
        "data_wait_frac",
        "fraction",
        False,
        "waiting for data (%)",
        100.0,
        1,
        depends_on_machine=True,
        short_title="data wait (%)",
    ),
)

JOB = JobKind(
    spec=Recipe,
    run=run,
    version=1,
    cost=cost,
    resources=Resources(num_gpus="auto", timeout_min=7 * 24 * 60),
    can_be_distributed=True,
    epoch_metrics={"val_top1": "val_top1", "ema_val_top1": "ema_val_top1", "train_loss": "loss"},
    adjustable=("lr", "weight_decay", "smoothing", "mixup", "cutmix", "augment"),
    place=40,
    is_result=False,
)
