"""Settings of analyses of detectors and segmenters: their images, and a model that no job has trained.

No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lsbench.core.errors import DataError
from lsbench.core.job import BuiltOn, Job, JobSpec, ShownSize, Variant
from lsbench.core.tasks import Task
from lsbench.core.weight_sources import CHECKPOINT
from lsbench.data.picture_folder import fingerprint_pictures
from lsbench.detection.settings import Task as ModelTask
from lsbench.engine.downstream_spec import WEIGHTS_ARGUMENTS
from lsbench.engine.evaluation import PreprocessSpec

#: The kind of job that trains the models of a task.
TRAINED_BY: dict[Task, str] = {"classification": "train", "detection": "detect", "segmentation": "segment"}
#: Settings that analyses of classifiers do not have.
OF_DOWNSTREAM = ("dataset", "images", "folder", CHECKPOINT, "detector", "head")


def _task_of(kind: ModelTask) -> Task:
    return "segmentation" if kind == "semantic_fpn" else "detection"


class AnalysisSpec(PreprocessSpec):
    """Settings of the images of analyses, and those that only analyses of detectors and segmenters use."""

    data_fields: ClassVar[tuple[str, ...]] = ("dataset",)
    reads_instead: ClassVar[bool] = True
    runtime_fields: ClassVar[frozenset[str]] = frozenset({"folder"})  # the id covers the images in it
    later_fields: ClassVar[frozenset[str]] = frozenset(OF_DOWNSTREAM) - runtime_fields

    num_images: int = Field(default=50, ge=1, description="evenly spaced over the split")
    split: Literal["train", "val", "test"] = Field(
        default="test", description="split of the data set that is used"
    )
    dataset: str | dict[str, Any] | None = Field(
        default=None,
        description="of detectors and segmenters: the data set of the images; default: that of the job which "
        "trained them, or the variant's",
    )
    images: tuple[str, ...] = Field(
        default=(),
        description="of detectors and segmenters: file names of the images, all of which are drawn; default: "
        "evenly spaced ones",
    )
    folder: str | None = Field(
        default=None, description="of detectors and segmenters: a folder of images, instead of a data set's"
    )
    checkpoint: str | None = Field(
        default=None,
        description="file or address of a whole detector or segmenter, in the authors' layout or ours; "
        "no job needs to train it",
    )
    detector: Literal["retinanet", "maskrcnn"] = Field(
        default="maskrcnn", description="kind of detector that no job has trained"
    )
    head: dict[str, Any] = Field(
        default_factory=dict,
        description="sizes of neck and head of a model that no job has trained, e.g. channels: 64",
    )

    def shown(self, variant: Variant) -> ShownSize | None:
        """Return the size of the images; that of a detector's or segmenter's is any."""
        return super().shown(variant) if self.task == "classification" else None

    @property
    def task(self) -> Task:
        """The task of the models that are analyzed."""
        raise NotImplementedError

    @property
    def built(self) -> ModelTask:
        """The kind of a model that no job has trained."""
        return self.detector if self.task == "detection" else "semantic_fpn"

    @model_validator(mode="after")
    def _fits_the_task(self) -> AnalysisSpec:
        given = [name for name in OF_DOWNSTREAM if name in self.model_fields_set and self._is_changed(name)]
        if given and self.task == "classification":
            raise ValueError(
                f"{', '.join(given)}: only of analyses of detectors and segmenters; leave it out"
            )
        if self.task != "classification" and self.weights == "pretrained" and self.checkpoint is None:
            raise ValueError(
                "weights: pretrained ones of a detector or segmenter are a `checkpoint`; name it"
            )
        if self.task != "classification" and self.weights == "ema":
            raise ValueError("weights: detectors and segmenters have no moving average; leave it out")
        return self

    def _is_changed(self, name: str) -> bool:
        default = type(self).model_fields[name].get_default(call_default_factory=True)
        return bool(getattr(self, name) != default)

    @classmethod
    def needed_kinds(cls, settings: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return no kind for weights that no job trains, a checkpoint's among them."""
        return () if settings.get(CHECKPOINT) is not None else super().needed_kinds(settings, usual)

    def check_need(self, need: JobSpec) -> None:
        """Raise a ValueError if another job's model is not of the task, or has no such weights."""
        super().check_need(need)
        found: ModelTask | None = getattr(need, "model_kind", None)
        if found is not None and self.task not in ("classification", _task_of(found)):
            raise ValueError(
                f"expected a model for {self.task}, found {found}, which is for {_task_of(found)}"
            )

    def data_task(self, usual: Task) -> Task:
        """Return the task of the models, which the images serve."""
        return self.task

    def with_needs(self, needs: Mapping[str, JobSpec]) -> AnalysisSpec:
        """Return these settings with the data set of the job that trains the model, if they name none."""
        found = [getattr(need, "dataset", None) for need in needs.values()]
        if self.dataset is not None or self.task == "classification" or not any(found):
            return self
        return self.model_copy(update={"dataset": next(filter(None, found))})

    def built_on(self, variant: Variant) -> BuiltOn | None:
        """Return the detector or segmenter on a variant's backbone, if no job trains it."""
        if self.task == "classification" or (self.weights != "fresh" and self.checkpoint is None):
            return None
        own = {name: value for name, value in variant.model_args.items() if name not in WEIGHTS_ARGUMENTS}
        known = variant.model_dump() | {"model_args": own}
        return BuiltOn(**known, built_as=self.built, sizes=self.head, checkpoint=self.checkpoint)

    def own_splits(self) -> tuple[str, ...]:
        """Return the split of the images; none of a folder's."""
        return () if self.folder is not None else (self.split,)

    def other_splits(self) -> tuple[str, ...]:
        """Return the same of a data set that is named."""
        return self.own_splits()

    @classmethod
    def identity_beside(cls, job: Job) -> dict[str, Any]:
        """Return the preprocessing, as other jobs do, and the images of a folder."""
        folder = job.spec.get("folder")
        if folder is None:
            return super().identity_beside(job)
        try:
            pictures = fingerprint_pictures(Path(folder))
        except DataError:
            pictures = "missing"  # the job itself tells it
        return {**super().identity_beside(job), "pictures": pictures}
