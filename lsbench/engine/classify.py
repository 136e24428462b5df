"""What the classification jobs share: the model of a variant and the batches of its data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lsbench.core.env import usable_cpus
from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import JobContext
from lsbench.core.registry import DATASETS
from lsbench.data.dataset import ImageFolders
from lsbench.engine import weights
from lsbench.engine.distributed import current_world, ranks_on_this_node
from lsbench.engine.evaluation import Weights
from lsbench.engine.objective import Objective, create_teacher, give_two_heads
from lsbench.engine.recipe import Recipe
from lsbench.models.factory import create_model


def dataset_of(context: JobContext, other: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
    """Return the plug-in and the spec of the job's data set.

    Args:
        context: The job.
        other: Settings of another data set instead; its images have the size of the variant's own unless
            the settings say otherwise.
    """
    own = context.job.variant.dataset
    settings = own if other is None else {"img_size": own["img_size"], **other}
    plugin = DATASETS.load(settings["name"])
    return plugin, plugin.spec.model_validate(settings)


def data_root(context: JobContext) -> Path | None:
    """Return the folder under which large data sets lie, if one was given."""
    return None if context.job.data_root is None else Path(context.job.data_root)


def prepare_folders(context: JobContext, other: Mapping[str, Any] | None = None) -> ImageFolders:
    """Return the image folders of the job's data set, or of another with its classes, on this machine.

    Raises:
        ConfigError: If the classes of the other data set are not those of the job's.
    """
    plugin, spec = dataset_of(context, other)
    folders: ImageFolders = plugin.prepare(spec, data_root(context))
    if other is not None:
        _check_same_classes(context, spec.name, folders.wnids)
    return folders


def _check_same_classes(context: JobContext, other: str, wnids: tuple[str, ...]) -> None:
    own = prepare_folders(context)
    if own.wnids != wnids:
        raise ConfigError(
            f"{context.job.label}: expected a data set with the {own.num_classes} classes of "
            f"'{context.job.variant.dataset['name']}' ({own.wnids[0]}, ...), found '{other}' with "
            f"{len(wnids)} ({wnids[0]}, ...); test on one whose classes are those that the model knows"
        )


def create_variant(context: JobContext) -> nn.Module:
    """Return the job's model with fresh weights, which follow from the job's seed alone."""
    _, spec = dataset_of(context)
    variant = context.job.variant
    return create_model(
        variant.model,
        mixer=variant.mixer,
        mixer_args=variant.mixer_args,
        num_classes=num_classes_of(context),
        img_size=spec.img_size,
        **variant.model_args,
    )


def create_tested(context: JobContext, which: Weights) -> nn.Module:
    """Return the job's model with the weights that are to be tested.

    Args:
        context: The job.
        which: Of the training that the job needs, the last weights or their moving average; or those that
            the variant's ``model_args`` name.

    Raises:
        ConfigError: If pretrained weights are asked for and the variant names none.
        StoreError: If the training left no readable weights.
    """
    variant = context.job.variant
    if which == "pretrained":
        if not variant.model_args.get("pretrained") and not variant.model_args.get("checkpoint"):
            raise ConfigError(
                f"{context.job.label}: expected pretrained weights of '{variant.model}', and none are named; "
                "give model_args: {pretrained: true} or {checkpoint: FILE}"
            )
        return create_variant(context)
    return _trained(context, weights.EMA if which == "ema" else weights.WEIGHTS)


def _trained(context: JobContext, name: str) -> nn.Module:
    model = create_variant(context)
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
    """Return the loader processes to start: no more than a rank has CPUs here; it changes no result."""
    return min(asked, max(1, usable_cpus() // ranks_on_this_node()))


def num_classes_of(context: JobContext) -> int:
    """Return the number of classes of the job's data set."""
    plugin, spec = dataset_of(context)
    return int(plugin.num_classes(spec, data_root(context)))


def create_objective(context: JobContext, recipe: Recipe, model: nn.Module) -> Objective:
    """Return what the training minimises; with a teacher, `model` is made to answer with two heads."""
    num_classes = num_classes_of(context)
    if recipe.distill is None:
        return Objective(recipe, num_classes)
    give_two_heads(model, context.job.variant.model)
    _, spec = dataset_of(context)
    teacher = create_teacher(recipe.distill, num_classes=num_classes, img_size=spec.img_size)
    return Objective(recipe, num_classes, teacher)


def create_train_batches(context: JobContext, recipe: Recipe) -> Any:
    """Return a rank's chunks of the training split, a pure function of (seed, epoch)."""
    from lsbench.data.loading.loader import create_train_loader

    plugin, spec = dataset_of(context)
    world = current_world()
    return create_train_loader(
        prepare_folders(context),
        img_size=spec.img_size,
        batch_size=recipe.batch_size,
        chunks=recipe.chunks(world.size),
        rank=world.rank,
        world_size=world.size,
        repeats=recipe.repeats,
        max_unreadable=recipe.max_unreadable,
        augment=recipe.augment,
        seed=context.job.seed or 0,
        num_workers=usable_workers(recipe.data_workers),
        in_memory=plugin.in_memory,
    )


def create_eval_batches(
    context: JobContext, split: str, *, batch_size: int, workers: int, other: Mapping[str, Any] | None = None
) -> Iterable[tuple[Tensor, Tensor]]:
    """Return a split as batches in its fixed order; of several ranks, this rank's part of them.

    Args:
        context: The job.
        split: Of the job's data set, or of `other`.
        batch_size: Images per batch.
        workers: Loader processes.
        other: Settings of another data set with the same classes.
    """
    from lsbench.data.loading.loader import create_eval_loader

    plugin, spec = dataset_of(context, other)
    world = current_world()
    loader: Iterable[tuple[Tensor, Tensor]] = create_eval_loader(
        prepare_folders(context, other),
        split=split,
        img_size=spec.img_size,
        batch_size=batch_size,
        num_workers=usable_workers(workers),
        in_memory=plugin.in_memory,
        rank=world.rank,
        world_size=world.size,
    )
    return loader
