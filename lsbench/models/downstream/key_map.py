"""The names of weights in the authors' files of detectors and segmenters, which mmdetection 2 names.

Each weight of ours is one of theirs under another name, so that the map works both ways.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lsbench.detection.settings import Task
from lsbench.models.downstream.model import has_inner_model

#: Start of our names -> start of theirs.
_NECK = ((r"neck\.(\w+)\.(\d+)\.", r"neck.\1.\2.conv."),)
_HEADS: dict[Task, tuple[tuple[str, str], ...]] = {
    "retinanet": (
        (r"head\.classification_head\.conv\.(\d+)\.0\.", r"bbox_head.cls_convs.\1.conv."),
        (r"head\.regression_head\.conv\.(\d+)\.0\.", r"bbox_head.reg_convs.\1.conv."),
        (r"head\.classification_head\.cls_logits\.", "bbox_head.retina_cls."),
        (r"head\.regression_head\.bbox_reg\.", "bbox_head.retina_reg."),
    ),
    "maskrcnn": (
        (r"rpn\.head\.conv\.0\.0\.", "rpn_head.rpn_conv."),
        (r"rpn\.head\.cls_logits\.", "rpn_head.rpn_cls."),
        (r"rpn\.head\.bbox_pred\.", "rpn_head.rpn_reg."),
        (r"roi_heads\.box_head\.fc6\.", "roi_head.bbox_head.shared_fcs.0."),
        (r"roi_heads\.box_head\.fc7\.", "roi_head.bbox_head.shared_fcs.1."),
        (r"roi_heads\.box_predictor\.cls_score\.", "roi_head.bbox_head.fc_cls."),
        (r"roi_heads\.box_predictor\.bbox_pred\.", "roi_head.bbox_head.fc_reg."),
        (r"roi_heads\.mask_head\.(\d+)\.0\.", r"roi_head.mask_head.convs.\1.conv."),
        (r"roi_heads\.mask_predictor\.conv5_mask\.", "roi_head.mask_head.upsample."),
        (r"roi_heads\.mask_predictor\.mask_fcn_logits\.", "roi_head.mask_head.conv_logits."),
    ),
    "semantic_fpn": (),
}
#: The classifier, under our name.
CLASSIFIERS: dict[Task, str] = {
    "retinanet": "head.classification_head.cls_logits.bias",
    "maskrcnn": "roi_heads.box_predictor.cls_score.bias",
    "semantic_fpn": "decode_head.conv_seg.bias",
}


def authors_names(task: Task, model: nn.Module) -> dict[str, str]:
    """Return the authors' name of each weight of a model, by ours, in the model's order."""
    rules = [*_NECK, *_HEADS[task]]
    if has_inner_model(model.get_submodule("backbone")):
        rules.append((r"backbone\.model\.", "backbone."))
    return {name: _renamed(name, rules) for name in model.state_dict()}


def authors_classifier(task: Task) -> str:
    """Return the authors' name of the bias of a task's classifier."""
    return _renamed(CLASSIFIERS[task], _HEADS[task])


def to_authors(task: Task, model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights under the authors' names, as their programs load them."""
    state = model.state_dict()
    return {theirs: state[ours] for ours, theirs in authors_names(task, model).items()}


def authors_checkpoint(task: Task, model: nn.Module, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return what ``torch.save`` writes for the authors' programs: all weights, and the names of classes.

    Args:
        task: The model's task.
        model: The model.
        classes: Names of the classes, in the order of labels.
    """
    meta = {"CLASSES": tuple(classes)} if classes else {}
    return {"meta": meta, "state_dict": OrderedDict(to_authors(task, model))}


def from_authors(task: Task, model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under our names; those that the model does not know keep theirs."""
    ours = {theirs: name for name, theirs in authors_names(task, model).items()}
    return {ours.get(name, name): tensor for name, tensor in state.items()}


def _renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        renamed, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return renamed
    return name
