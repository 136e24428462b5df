"""Parts shared by the classification jobs: the model of a variant and the batches of its data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from lsbench.core.checkpoint_kinds import Kind
from lsbench.core.env import usable_cpus
from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import JobContext
from lsbench.core.model_sources import is_sourced, pinned
from lsbench.core.weight_sources import CHECKPOINT_WEIGHTS
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.engine import weights
from lsbench.engine.distributed import current_world, ranks_on_this_node
from lsbench.engine.evaluation import Weights
from lsbench.engine.objective import Objective, create_teacher, give_two_heads
from lsbench.engine.open_data import OpenData
from lsbench.engine.recipe import Recipe
from lsbench.models.factory import create_model


def create_variant(
    context: JobContext,
    data: OpenData,
    *,
    same_classes: bool = False,
    img_size: int | None = None,
    kind: Kind | None = None,
) -> nn.Module:
    """Return the job's model with fresh weights, which depend on the job's seed alone.

    Args:
        context: The job.
        data: The variant's own data set; gives the number of classes and the image size.
        same_classes: As in :func:`lsbench.models.factory.create_model`.
        img_size: Another image size than the data set's, in pixels.
        kind: Kind of weights to take of the variant's checkpoint, whatever its ``model_args`` say.
    """
    variant = context.job.variant
    chosen = {} if kind is None else {CHECKPOINT_WEIGHTS: kind}
    return create_model(
        pinned(variant.model, context.job.contents),
        mixer=variant.mixer,
        mixer_args=variant.mixer_args,
        num_classes=data.num_classes,
        img_size=img_size or data.img_size,
        same_classes=same_classes,
        **{**variant.model_args, **chosen},
    )


def create_tested(
    context: JobContext,
    data: OpenData,
    which: Weights,
    *,
    same_classes: bool = False,
    img_size: int | None = None,
) -> nn.Module:
    """Return the job's model with the weights to be tested.

    Args:
        context: The job.
        data: The variant's own data set.
        which: The last weights or the moving average of the training that the job needs; the weights named
            in the variant's ``model_args``, of which ``ema`` takes the average if there is no training; or
            fresh ones.
        same_classes: Whether the classifier is tested, so that named weights must have one for these classes.
        img_size: Image size for a model with named weights, in pixels; default: the data set's.

    Raises:
        ConfigError: If pretrained weights are requested and the variant names none, or they do not fit.
        StoreError: If the training left no readable weights.
    """
    variant = context.job.variant
    if which == "pretrained":
        if not variant.model_args.get("pretrained") and not variant.model_args.get("checkpoint"):
            raise ConfigError(
                f"{context.job.label}: expected pretrained weights of '{variant.model}', found none; "
                "give model_args: {pretrained: true} or {checkpoint: FILE}"
            )
        return create_variant(context, data, same_classes=same_classes, img_size=img_size)
    if which == "fresh":
        return create_variant(context, data)
    if which == "ema" and not context.needs:
        return create_variant(context, data, same_classes=same_classes, img_size=img_size, kind="ema")
    return _trained(context, data, weights.EMA if which == "ema" else weights.WEIGHTS)


def checkpoint_facet(model: nn.Module, which: Weights) -> str | None:
    """Return the weights taken of a file that holds raw and averaged ones, unless `which` says it already."""
    taken = getattr(model, "checkpoint_weights", None)
    return None if which == "ema" else taken


def weights_setting(context: JobContext, model: nn.Module) -> dict[str, str]:
    """Return where a variant's published weights are from: the name with tag or revision, or nothing."""
    variant = context.job.variant
    if not variant.model_args.get("pretrained"):
        return {}
    cfg: Mapping[str, Any] = getattr(model, "pretrained_cfg", {})
    tagged = ".".join(str(cfg[part]) for part in ("architecture", "tag") if cfg.get(part))
    name = variant.model
    return {"weights_from": pinned(name, context.job.contents) if is_sourced(name) else tagged or name}


def _trained(context: JobContext, data: OpenData, name: str) -> nn.Module:
    model = create_variant(context, data)
    for folder in context.needs.values():
        state = weights.load(folder / name)
        if state is not None:
            weights.load_weights(model, state, where=str(folder / name))
            return model
    folders = [str(folder) for folder in context.needs.values()]
    what, hint = "weights", "add a train job"
    if name == weights.EMA:
        what, hint = "moving average of weights", "set `ema_decay` of the train job"
    raise StoreError(f"{context.job.label}: no {what} in {folders}; {hint}")


def usable_workers(asked: int) -> int:
    """Return the number of loader processes, at most the CPUs of this rank; it changes no result."""
    return min(asked, max(1, usable_cpus() // ranks_on_this_node()))


def create_objective(context: JobContext, recipe: Recipe, model: nn.Module, data: OpenData) -> Objective:
    """Return the training objective; with a teacher, `model` is switched to two heads."""
    num_classes = data.num_classes
    if recipe.distill is None:
        return Objective(recipe, num_classes)
    give_two_heads(model, context.job.variant.model)
    teacher = create_teacher(recipe.distill, num_classes=num_classes, img_size=data.img_size)
    return Objective(recipe, num_classes, teacher)


def create_train_batches(context: JobContext, recipe: Recipe, data: OpenData) -> Any:
    """Return a rank's chunks of the training split, a pure function of (seed, epoch)."""
    from lsbench.data.loading.loader import create_train_loader

    world = current_world()
    return create_train_loader(
        data.folders,
        img_size=data.img_size,
        batch_size=recipe.batch_size,
        chunks=recipe.chunks(world.size),
        rank=world.rank,
        world_size=world.size,
        repeats=recipe.repeats,
        max_unreadable=recipe.max_unreadable,
        augment=recipe.augment,
        seed=context.job.seed or 0,
        num_workers=usable_workers(recipe.data_workers),
        in_memory=data.plugin.in_memory,
    )


def create_eval_batches(
    data: OpenData,
    split: str,
    *,
    batch_size: int,
    workers: int,
    at_most: int | None = None,
    preprocessing: Preprocessing | None = None,
) -> Iterable[tuple[Tensor, Tensor]]:
    """Return a split as batches in its fixed order; with several ranks, this rank's part of them.

    Args:
        data: A data set.
        split: One of its splits.
        batch_size: Images per batch, fewer if a rank would get none.
        workers: Loader processes.
        at_most: Number of images over all ranks, drawn evenly from the sorted split; None: all of them.
        preprocessing: How images become the model's input; None: as the data set's are.
    """
    from lsbench.data.loading.loader import create_eval_loader

    world = current_world()
    loader: Iterable[tuple[Tensor, Tensor]] = create_eval_loader(
        data.folders.at_most(at_most),
        split=split,
        img_size=data.img_size,
        batch_size=batch_size,
        num_workers=usable_workers(workers),
        in_memory=data.plugin.in_memory,
        preprocessing=preprocessing,
        rank=world.rank,
        world_size=world.size,
    )
    return loader
