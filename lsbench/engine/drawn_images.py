"""What an analysis of a detector or segmenter needs: the model, its images, and the names of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsbench.core.errors import ConfigError, DataError, StoreError
from lsbench.core.job import Job, JobContext
from lsbench.core.model_sources import pinned
from lsbench.core.registry import JOBS
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD, Rgb
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.drawn_images import DrawnImages, images_of_folder, images_of_split
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.segmentation.folders import LabelMapFolders
from lsbench.detection.settings import SETTINGS, Task
from lsbench.engine import weights
from lsbench.engine.analysis_spec import AnalysisSpec
from lsbench.engine.downstream import open_own
from lsbench.engine.downstream_spec import WEIGHTS_ARGUMENTS, DownstreamSpec
from lsbench.engine.open_data import OpenData
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.downstream.model import DownstreamModel

#: Another variant's jobs are needed under ``job@variant``.
OF = "@"


@dataclass(frozen=True)
class AnalyzedImages:
    """The images of an analysis.

    Attributes:
        data: The data set.
        drawn: Its images, or those of a folder.
        classes: Names of its classes.
    """

    data: OpenData
    drawn: DrawnImages
    classes: tuple[str, ...]


def open_images(context: JobContext) -> AnalyzedImages:
    """Return the images of the job.

    Raises:
        ConfigError: If a named image is unknown, or the data set is for another task.
        DataError: If data is missing.
    """
    spec: AnalysisSpec = context.spec
    data = open_own(context)
    if spec.folder is None:
        data.require([spec.split])
    classes, mean, std = _known(data, is_needed=spec.folder is None)
    scaling = Scaling(data.img_size, data.spec.max_size, mean, std)
    asked: dict[str, Any] = {"names": spec.images, "num_images": spec.num_images}
    if spec.folder is None:
        drawn = images_of_split(data.prepared, spec.split, scaling, **asked)
    else:
        drawn = images_of_folder(Path(spec.folder), spec.task, scaling, **asked)
    return AnalyzedImages(data, drawn, classes)


def _known(data: OpenData, *, is_needed: bool) -> tuple[tuple[str, ...], Rgb, Rgb]:
    """Return names of classes, mean and standard deviation; only the names if the data is not here."""
    names = getattr(data.plugin, "class_names", None)
    try:
        prepared = data.prepared
    except DataError:
        if is_needed or names is None:
            raise
        return tuple(names), IMAGENET_MEAN, IMAGENET_STD
    if isinstance(prepared, DetectionFiles):
        return prepared.categories, prepared.mean, prepared.std
    if isinstance(prepared, LabelMapFolders):
        return prepared.classes, prepared.mean, prepared.std
    raise ConfigError(
        f"expected a data set for detection or segmentation, found '{data.name}', which is for "
        f"{prepared.task}; name another as `dataset`"
    )


def create_seen(context: JobContext, num_classes: int) -> DownstreamModel:
    """Return the model of the job that trained it, or one with a checkpoint's or random weights.

    Args:
        context: The job.
        num_classes: Classes of the images' data set.

    Raises:
        ConfigError: If the model knows other classes, or a checkpoint cannot be read or does not fit.
        StoreError: If the needed job left no weights.
    """
    spec: AnalysisSpec = context.spec
    if spec.checkpoint is not None or spec.weights == "fresh":
        settings = SETTINGS[spec.built].model_validate(spec.head)
        return _create(context, context.job, spec.built, num_classes, spec.checkpoint, settings)
    for name, folder in context.needs.items():
        job = Job.model_validate_json((folder / "spec.json").read_text(encoding="utf-8"))
        trained = JOBS.load(job.kind).spec.model_validate(job.spec)
        if OF not in name and isinstance(trained, DownstreamSpec):
            known = OpenData(trained.read_data(job.variant.dataset)[0], context.job.data_root).num_classes
            if known != num_classes:
                raise ConfigError(
                    f"{context.job.label}: expected a data set with the {known} classes that {job.label} "
                    f"knows, found one with {num_classes}; name another as `dataset`"
                )
            place = trained.checkpoint or _weights_of(job, folder)
            return _create(context, job, trained.model_kind, num_classes, place, trained.sizes)
    raise StoreError(
        f"{context.job.label}: no detector or segmenter among the needed jobs "
        f"({', '.join(context.needs) or 'none'}); name its job under `needs`, or give a `checkpoint`"
    )


def _weights_of(job: Job, folder: Path) -> str:
    path = folder / weights.WEIGHTS
    if not path.is_file():
        raise StoreError(f"{job.label}: no weights in {folder}; run it again with --rerun {job.label}")
    return str(path)


def _create(
    context: JobContext, job: Job, task: Task, num_classes: int, checkpoint: str | None, settings: Any
) -> DownstreamModel:
    variant = job.variant
    given: Mapping[str, Any] = variant.model_args
    try:
        model = create_downstream(
            task,
            pinned(variant.model, job.contents),
            num_classes=num_classes,
            checkpoint=checkpoint,
            settings=settings,
            mixer=variant.mixer,
            mixer_args=variant.mixer_args,
            **{name: value for name, value in given.items() if name not in WEIGHTS_ARGUMENTS},
        )
    except ConfigError as error:
        raise ConfigError([f"{context.job.label}: {problem}" for problem in error.problems]) from error
    model.to(context.device).eval()
    return model
