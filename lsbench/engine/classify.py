"""What the classification jobs share: the model of a variant and the batches of its data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lsbench.core.env import usable_cpus
from lsbench.core.errors import StoreError
from lsbench.core.job import JobContext
from lsbench.core.registry import DATASETS
from lsbench.data.dataset import ImageFolders
from lsbench.engine import checkpoint
from lsbench.engine.recipe import Recipe
from lsbench.models.factory import create_model


def dataset_of(context: JobContext) -> tuple[Any, Any]:
    """Return the plug-in and the spec of the job's data set."""
    settings = context.job.variant.dataset
    plugin = DATASETS.load(settings["name"])
    return plugin, plugin.spec.model_validate(settings)


def data_root(context: JobContext) -> Path | None:
    """Return the folder under which large data sets lie, if one was given."""
    return None if context.job.data_root is None else Path(context.job.data_root)


def prepare_folders(context: JobContext) -> ImageFolders:
    """Return the image folders of the job's data set on this machine."""
    plugin, spec = dataset_of(context)
    folders: ImageFolders = plugin.prepare(spec, data_root(context))
    return folders


def create_variant(context: JobContext) -> nn.Module:
    """Return the job's model with fresh weights, which follow from the job's seed alone."""
    plugin, spec = dataset_of(context)
    variant = context.job.variant
    return create_model(
        variant.model,
        mixer=variant.mixer,
        mixer_args=variant.mixer_args,
        num_classes=plugin.num_classes(spec, data_root(context)),
        img_size=spec.img_size,
        **variant.model_args,
    )


def create_trained(context: JobContext) -> nn.Module:
    """Return the job's model with the weights of the training that it needs.

    Raises:
        StoreError: If the training left no readable weights.
    """
    model = create_variant(context)
    for folder in context.needs.values():
        state = checkpoint.load(folder / checkpoint.WEIGHTS)
        if state is not None:
            model.load_state_dict(state)
            return model
    raise StoreError(
        f"{context.job.label}: no weights in {[str(f) for f in context.needs.values()]}; add a train job"
    )


def usable_workers(asked: int) -> int:
    """Return the loader processes to start: no more than this machine has CPUs; it changes no result."""
    return min(asked, usable_cpus())


def create_train_batches(context: JobContext, recipe: Recipe) -> Any:
    """Return the training split as batches that are a pure function of (seed, epoch)."""
    from lsbench.data.loader import create_train_loader

    plugin, spec = dataset_of(context)
    return create_train_loader(
        prepare_folders(context),
        img_size=spec.img_size,
        batch_size=recipe.batch_size,
        augment=recipe.augment,
        seed=context.job.seed or 0,
        num_workers=usable_workers(recipe.data_workers),
        in_memory=plugin.in_memory,
    )


def create_eval_batches(
    context: JobContext, split: str, *, batch_size: int, workers: int
) -> Iterable[tuple[Tensor, Tensor]]:
    """Return a split as batches in its fixed order."""
    from lsbench.data.loader import create_eval_loader

    plugin, spec = dataset_of(context)
    loader: Iterable[tuple[Tensor, Tensor]] = create_eval_loader(
        prepare_folders(context),
        split=split,
        img_size=spec.img_size,
        batch_size=batch_size,
        num_workers=usable_workers(workers),
        in_memory=plugin.in_memory,
    )
    return loader
