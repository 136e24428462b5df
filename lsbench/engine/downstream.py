"""Parts shared by the jobs on detectors and segmenters: their data, their model, and batches over ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import JobContext
from lsbench.core.model_sources import pinned
from lsbench.data.dataset import PreparedData
from lsbench.data.loading.target_loader import TargetEvalLoader
from lsbench.engine import weights
from lsbench.engine.classify import usable_workers
from lsbench.engine.distributed import current_world, gather_over_ranks, share_buffers
from lsbench.engine.downstream_spec import (
    FROM_TRAINING,
    DownstreamSpec,
)
from lsbench.engine.open_data import OpenData
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.downstream.model import DownstreamModel

#: Told the number of images seen on all ranks, about, and of all.
OnBatch = Callable[[int, int], None]

FoundT = TypeVar("FoundT")
DataT = TypeVar("DataT", bound=PreparedData)


def open_own(context: JobContext) -> OpenData:
    """Return the data set that a job reads instead of the variant's, or the variant's own."""
    (settings,) = context.spec.read_data(context.job.variant.dataset)
    return OpenData(settings, context.job.data_root)


def create_own(context: JobContext, num_classes: int) -> DownstreamModel:
    """Return the job's model: new neck and heads of the seed on the weights of its backbone, or a checkpoint.

    Args:
        context: The job.
        num_classes: Classes of the data set.

    Raises:
        ConfigError: If the backbone has no four maps, or weights are not there or do not fit.
        StoreError: If the needed training left no weights.
    """
    spec: DownstreamSpec = context.spec
    variant = context.job.variant
    is_handed_over = spec.is_trained and spec.backbone_weights == FROM_TRAINING
    trained = _trained(context) if is_handed_over else None
    try:
        return create_downstream(
            spec.model_kind,
            pinned(variant.model, context.job.contents),
            num_classes=num_classes,
            checkpoint=spec.checkpoint if spec.trained_by is None else _trained(context, spec.trained_by),
            settings=spec.sizes,
            mixer=variant.mixer,
            mixer_args=variant.mixer_args,
            **spec.backbone_arguments(variant.model_args, trained),
        )
    except ConfigError as error:
        raise ConfigError([f"{context.job.label}: {problem}" for problem in error.problems]) from error


def _trained(context: JobContext, name: str | None = None) -> str:
    """Return the file of weights of the training that the job needs, of several of that with the name."""
    for folder in [one for need, one in context.needs.items() if name in (None, need)]:
        if (folder / weights.WEIGHTS).is_file():
            return str(folder / weights.WEIGHTS)
    folders = [str(folder) for folder in context.needs.values()]
    raise StoreError(
        f"{context.job.label}: no weights in {folders}; add a train job, or set `backbone_weights`"
    )


def shares_of(spec: DownstreamSpec) -> dict[str, int]:
    """Return how the batches of a test are made and shared: their size, worker processes and ranks."""
    world = current_world()
    return {
        "batch_size": spec.test_batch_size,
        "num_workers": usable_workers(spec.data_workers),
        "rank": world.rank,
        "world_size": world.size,
    }


def predict_all(
    model: DownstreamModel,
    batches: TargetEvalLoader,
    keep: Callable[[dict[str, Any], Any], FoundT],
    *,
    device: str,
    channels_last: bool = False,
    on_batch: OnBatch | None = None,
) -> list[FoundT]:
    """Return what is kept of the predictions for each image of a split, in the split's order.

    Several ranks share the batches, and all return the complete list.

    Args:
        model: On its device.
        batches: This rank's batches.
        keep: Returns what is kept of an image, from its prediction, on the CPU, and its target.
        device: The model's device.
        channels_last: Memory format of the images.
        on_batch: Told the progress after each batch.

    Raises:
        ValueError: If there is no image.
    """
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    found: dict[int, FoundT] = {}
    share_buffers(model)
    for batch in batches:
        images = batch.images.to(device, memory_format=memory_format)
        predicted = model.predict(images, batch.image_sizes, batch.original_sizes)
        for index, one, target in zip(batch.indices, predicted, batch.targets, strict=True):
            found[index] = keep({name: value.cpu() for name, value in one.items()}, target)
        if on_batch is not None:
            on_batch(min(len(found) * current_world().size, len(batches.paths)), len(batches.paths))
    of_all = {index: one for share in gather_over_ranks(found) for index, one in share.items()}
    if not of_all:
        raise ValueError("the split holds no image")
    return [of_all[index] for index in sorted(of_all)]


def prepared_as(kind: type[DataT], data: OpenData) -> DataT:
    """Return prepared data of the class that serves a task.

    Args:
        kind: The class.
        data: A data set.

    Raises:
        ConfigError: If it serves another task.
    """
    if isinstance(data.prepared, kind):
        return data.prepared
    raise ConfigError(
        f"expected a data set for {kind.task}, found '{data.name}', which is for {data.prepared.task}; "
        "name another as `dataset`"
    )
