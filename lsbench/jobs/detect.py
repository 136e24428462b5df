"""Train a detector on a variant's backbone, and test it: boxes of RetinaNet, boxes and masks of Mask R-CNN.

One kind of job does both, unlike classification with its two: a detector is trained to be tested, on one data
set and in one way, and its weights stay in the job's folder for whatever else wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from lsbench.core.job import JobContext, JobKind, Resources
from lsbench.core.quantity import percentage
from lsbench.core.record import Record
from lsbench.detection.settings import Task
from lsbench.engine.downstream_recipes import DETECTION_RECIPES
from lsbench.engine.downstream_spec import DownstreamSpec

#: Work on an image in that of its backbone on a square of the shorter side: the longer one, neck and heads.
WORK = 3.0


class DetectSpec(DownstreamSpec):
    """Settings of a detector."""

    named: ClassVar[Mapping[str, Mapping[str, Any]]] = DETECTION_RECIPES
    short_field: ClassVar[str | None] = "detector"

    detector: Literal["retinanet", "maskrcnn"] = Field(
        default="retinanet", description="retinanet: boxes; maskrcnn: boxes and masks"
    )

    @property
    def model_kind(self) -> Task:
        """The kind of model."""
        return self.detector

    def reads_masks(self) -> bool:
        """Return whether the detector finds masks."""
        return self.detector == "maskrcnn"


def run(context: JobContext) -> Sequence[Record]:
    """Train the detector, test it, and return COCO's numbers and the values of every epoch."""
    from lsbench.engine.detection import DetectionBench
    from lsbench.engine.downstream_run import train_and_test
    from lsbench.robustness.downstream import further_tests

    return train_and_test(
        context, DetectionBench, version=context.job.protocol_version, further=further_tests
    )


def cost(spec: DetectSpec, macs: float, images: Callable[[str], int]) -> float:
    """Return the estimated MACs of training and test."""
    return WORK * macs * spec.passes(images)


QUANTITIES = (
    percentage("val_ap", "val box AP"),
    percentage("val_ap50", "val box AP50"),
    percentage("val_mask_ap", "val mask AP"),
)

JOB = JobKind(
    spec=DetectSpec,
    run=run,
    version=1,
    cost=cost,
    needs=("train",),
    resources=Resources(num_gpus="auto", timeout_min=7 * 24 * 60),
    can_be_distributed=True,
    place=25,
    task="detection",
)
