"""Train a segmenter on a variant's backbone, and test it: the class of each pixel, by Semantic FPN.

One kind of job does both, as ``detect`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import percentage
from lsbench.core.record import Record
from lsbench.detection.settings import Task
from lsbench.engine.downstream_recipes import SEGMENTATION_RECIPES
from lsbench.engine.downstream_spec import DownstreamSpec

#: Work on an image in that of its backbone, on a square of the same side: neck and head take as much.
WORK = 2.0

_Factor = Annotated[float, Field(gt=0)]


class SegmentSpec(DownstreamSpec):
    """Settings of a segmenter."""

    named: ClassVar[Mapping[str, Mapping[str, Any]]] = SEGMENTATION_RECIPES
    short_field: ClassVar[str | None] = "segmenter"

    segmenter: Literal["semantic_fpn"] = Field(default="semantic_fpn", description="the kind of model")
    crop: int | None = Field(
        default=None,
        ge=32,
        multiple_of=32,
        description="side of training crops, pixels; default: the img_size",
    )
    scales: tuple[_Factor, _Factor] = Field(
        default=(0.5, 2.0), description="range of the random factor on the size of training images"
    )
    one_class_at_most: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="share of a crop that one class may fill; else it is drawn again",
    )
    distort: bool = Field(default=True, description="change brightness and colours of training images")

    @property
    def model_kind(self) -> Task:
        """The kind of model."""
        return self.segmenter


def run(context: JobContext) -> Sequence[Record]:
    """Train the segmenter, test it, and return mIoU, accuracies and the values of every epoch."""
    from lsbench.engine.downstream_run import train_and_test
    from lsbench.engine.segmentation import SegmentationBench
    from lsbench.robustness.downstream import further_tests

    return train_and_test(
        context, SegmentationBench, version=context.job.protocol_version, further=further_tests
    )


def cost(spec: SegmentSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of training and test."""
    return WORK * macs * spec.passes(images)


QUANTITIES = (
    percentage("val_miou", "val mIoU"),
    percentage("val_pixel_accuracy", "val pixel accuracy"),
    percentage("class_iou", "IoU of a class"),
    percentage("class_accuracy", "pixel accuracy of a class", short_title="class accuracy (%)"),
)

JOB = JobKind(
    spec=SegmentSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=7 * 24 * 60),
    can_be_distributed=True,
    usual=("miou",),
    place=26,
    task="segmentation",
)
