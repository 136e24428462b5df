"""Sizes of detectors and segmenters: the published ones by default, smaller ones for small images.

It imports no torch: specs of jobs hold these settings.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, supplement A.1; RetinaNet, arXiv:1708.02002; Mask R-CNN,
    arXiv:1703.06870; Semantic FPN, arXiv:1901.02446.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from lsbench.core.validation import place_of, reason_of

Task = Literal["retinanet", "maskrcnn", "semantic_fpn"]


class PyramidSettings(BaseModel):
    """What all three share.

    Attributes:
        channels: Channels of every map of the neck, and of the convolutions on them in a detector.
        norm_eval: Whether the backbone's batch normalisations keep their running statistics in training, as
            they do where the backbone starts from a checkpoint; their scale and shift are trained anyway.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: PositiveInt = 256
    norm_eval: bool = True


class RetinaNetSettings(PyramidSettings):
    """RetinaNet.

    Attributes:
        convs: Convolutions before each of the two predictions.
        extra_levels: Coarser maps by convolutions of stride 2; None: as many as reach stride 128.
        anchor_scale: Side of the smallest anchor of a map, in strides of the map.
        candidates: Boxes of each map, the best ones, that suppression sees.
        detections: Boxes of an image at most.
        score_threshold: Boxes up to this score are dropped.
    """

    convs: NonNegativeInt = 4
    extra_levels: NonNegativeInt | None = None
    anchor_scale: PositiveFloat = 4.0
    candidates: PositiveInt = 1000
    detections: PositiveInt = 100
    score_threshold: float = Field(0.05, ge=0, lt=1)


class MaskRCNNSettings(PyramidSettings):
    """Mask R-CNN.

    Attributes:
        box_channels: Width of the two linear layers of the box head.
        mask_convs: Convolutions of the mask head.
        anchor_scale: Side of a map's anchors, in strides of the map.
        candidates: Anchors of each map, the best ones, that suppression sees.
        candidates_in_training: The same in training.
        proposals: Proposals of an image at most.
        proposals_in_training: The same in training.
        sampled_anchors: Anchors of an image in the loss of the proposals, half of them positive at most.
        sampled_proposals: Proposals of an image in the losses of the heads, a quarter positive at most.
        detections: Boxes of an image at most.
        score_threshold: Boxes up to this score are dropped.
    """

    box_channels: PositiveInt = 1024
    mask_convs: PositiveInt = 4
    anchor_scale: PositiveFloat = 8.0
    candidates: PositiveInt = 1000
    candidates_in_training: PositiveInt = 2000
    proposals: PositiveInt = 1000
    proposals_in_training: PositiveInt = 1000
    sampled_anchors: PositiveInt = 256
    sampled_proposals: PositiveInt = 512
    detections: PositiveInt = 100
    score_threshold: float = Field(0.05, ge=0, lt=1)


class SemanticFPNSettings(PyramidSettings):
    """Semantic FPN.

    Attributes:
        head_channels: Channels of the head.
        dropout: Probability of dropping a channel before the classifier in training.
    """

    head_channels: PositiveInt = 128
    dropout: float = Field(0.1, ge=0, lt=1)


DownstreamSettings: TypeAlias = RetinaNetSettings | MaskRCNNSettings | SemanticFPNSettings
#: Task -> height and width of the padded images of COCO and ADE20K that costs are counted and timed on.
PADDED_SIZES: dict[Task, tuple[int, int]] = {
    "retinanet": (800, 1344),
    "maskrcnn": (800, 1344),
    "semantic_fpn": (512, 2048),
}
#: Task -> name in titles.
TITLES: dict[Task, str] = {
    "retinanet": "RetinaNet",
    "maskrcnn": "Mask R-CNN",
    "semantic_fpn": "Semantic FPN",
}
#: Task -> name in the headers of narrow tables.
SHORT_TITLES: dict[Task, str] = {"retinanet": "Retina", "maskrcnn": "Mask", "semantic_fpn": "FPN"}
#: Task -> its settings, which all have defaults.
SETTINGS: dict[Task, type[DownstreamSettings]] = {
    "retinanet": RetinaNetSettings,
    "maskrcnn": MaskRCNNSettings,
    "semantic_fpn": SemanticFPNSettings,
}


def parse_sizes(task: Task, head: Mapping[str, Any]) -> DownstreamSettings:
    """Return the sizes of a model of which some are given.

    Raises:
        ValueError: If there is no such size, or a value is wrong; one line with all sizes that there are.
    """
    try:
        return SETTINGS[task].model_validate(dict(head))
    except ValidationError as error:
        lines = [f"head: {place_of(one)}: {reason_of(one)}" for one in error.errors()]
        known = ", ".join(SETTINGS[task].model_fields)
        raise ValueError(f"{'; '.join(lines)} ({task} has {known})") from error
