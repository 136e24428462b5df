"""Create a detector or segmenter on any backbone with four maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsbench.core.errors import ConfigError
from lsbench.core.model_sources import is_sourced
from lsbench.core.registry import suggest
from lsbench.detection.settings import SETTINGS, DownstreamSettings, Task
from lsbench.models.downstream.extractor import create_extractor
from lsbench.models.downstream.mask_rcnn import MaskRCNN
from lsbench.models.downstream.model import DownstreamModel
from lsbench.models.downstream.retinanet import RetinaNet
from lsbench.models.downstream.semantic_fpn import SemanticFPN
from lsbench.models.downstream.weights import load_downstream
from lsbench.models.families.lsnet import PUBLISHED
from lsbench.models.model_sources import read_cfg
from lsbench.models.weights_cfg import data_config

MODELS: dict[Task, type[DownstreamModel]] = {
    "retinanet": RetinaNet,
    "maskrcnn": MaskRCNN,
    "semantic_fpn": SemanticFPN,
}
#: The authors' backbones keep biases of a 14 x 14 map, and resize their matrix.
_AUTHORS: dict[str, Any] = {"img_size": 896, "bias_resize": "matrix"}


def create_downstream(
    task: str,
    backbone: str,
    *,
    num_classes: int,
    checkpoint: str | Path | None = None,
    settings: DownstreamSettings | None = None,
    mixer: str | None = None,
    mixer_args: Mapping[str, Any] | None = None,
    backbone_checkpoint: str | None = None,
    **model_args: Any,
) -> DownstreamModel:
    """Create a detector or segmenter, with random weights from torch's current random state by default.

    LSNet-T, -S and -B have the authors' attention biases, unless `model_args` say otherwise.

    Args:
        task: ``"retinanet"``, ``"maskrcnn"`` or ``"semantic_fpn"``.
        backbone: A model of the LSNet family, of timm, or of another package, whose feature extractor gives
            four maps, each half the last, from stride 4 or 8 on.
        num_classes: Classes, background not among them.
        checkpoint: File or address of all weights, named as the authors do (mmdetection 2, mmsegmentation) or
            as we do.
        settings: Sizes of the model; None: the published ones.
        mixer: Token mixer, for backbones with a pluggable one; None keeps the backbone's own.
        mixer_args: Options of the token mixer.
        backbone_checkpoint: File or address of the backbone's weights, those of a classifier for example.
        model_args: Further arguments of the backbone, under timm's names; ``img_size`` is what its attention
            biases are learned for; ``pretrained: true`` loads its published weights.

    Raises:
        ConfigError: If a name, an option or a value is wrong, the backbone has no such maps, or weights
            cannot be loaded or do not fit; one line per problem.
    """
    kind = _check_task(task, settings)
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ConfigError(f"num_classes must be a positive whole number, got {num_classes!r}")
    extractor = create_extractor(
        backbone,
        mixer=mixer,
        mixer_args=mixer_args,
        checkpoint=backbone_checkpoint,
        **{**_usual_arguments(backbone), **model_args},
    )
    try:
        model = MODELS[kind](extractor, settings or SETTINGS[kind](), num_classes)
    except ConfigError as error:
        raise ConfigError(f"model '{backbone}': {error}") from error
    if checkpoint is not None:
        load_downstream(kind, model, checkpoint)
    return model


def _check_task(task: str, settings: DownstreamSettings | None) -> Task:
    if task not in SETTINGS:
        raise ConfigError(
            f"unknown task '{task}'; expected one of {', '.join(SETTINGS)}{suggest(task, SETTINGS)}"
        )
    if settings is not None and not isinstance(settings, SETTINGS[task]):
        raise ConfigError(f"{task} needs {SETTINGS[task].__name__}, got {type(settings).__name__}")
    return task


def _usual_arguments(backbone: str) -> dict[str, Any]:
    """Return the arguments of a backbone where the user gives none."""
    architecture = read_cfg(backbone)[0] if is_sourced(backbone) else backbone
    if architecture.removesuffix("_distill") in PUBLISHED:
        return _AUTHORS
    return {"img_size": data_config(backbone).get("input_size", (3, 224, 224))[-1]}
