"""Train a variant from scratch; resumes from its last epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.record import Record, measured
from lsbench.engine.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

BACKWARD_FACTOR = 3.0  # a training step costs about three forward passes


def run(context: JobContext) -> Sequence[Record]:
    """Train the variant and return its last training loss and validation accuracy."""
    from lsbench.engine import checkpoint
    from lsbench.engine.classify import create_eval_batches, create_train_batches, create_variant
    from lsbench.engine.evaluator import evaluate
    from lsbench.engine.trainer import Trainer
    from lsbench.metrics.top1 import top1
    from lsbench.store.atomic import write_json

    recipe: Recipe = context.spec
    model = create_variant(context)
    trainer = Trainer(
        model,
        recipe,
        create_train_batches(context, recipe),
        folder=context.folder,
        seed=context.job.seed or 0,
        device=context.device,
        limit=context.job.limit,
    )
    batches = create_eval_batches(
        context, "val", batch_size=recipe.batch_size * 4, workers=recipe.data_workers
    )

    def validate(model: nn.Module) -> dict[str, float]:
        found = evaluate(
            model,
            batches,
            {"top1": top1},
            device=context.device,
            limit=context.job.limit,
            channels_last=recipe.channels_last,
        )
        return {"val_top1": found.mean("top1"), "val_images": found.num_images}

    progress = trainer.run(context.emit, validate)
    last = progress.history[-1]
    sha256 = checkpoint.weights_sha256(trainer.model.state_dict())
    write_json(context.folder / "history.json", {"epochs": progress.history, "weights_sha256": sha256})
    dataset = str(context.job.variant.dataset["name"])
    protocol = f"train|{recipe.epochs}ep|bs={recipe.batch_size}|lr={recipe.lr:g}|v{JOB.version}"
    setting = {"weights_sha256": sha256}
    return [
        measured("train_loss", last["loss"], protocol=protocol, dataset=dataset, setting=setting),
        measured("val_top1", last["val_top1"], protocol=protocol, dataset=dataset, n=int(last["val_images"])),
    ]


def cost(recipe: Recipe, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of a training."""
    return BACKWARD_FACTOR * macs * recipe.epochs * images("train")


JOB = JobKind(
    spec=Recipe,
    run=run,
    version=1,
    cost=cost,
    resources=Resources(num_gpus="auto", timeout_min=7 * 24 * 60),
)
