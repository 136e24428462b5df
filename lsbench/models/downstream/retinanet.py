"""RetinaNet, as the authors train and test it.

Shapes: B batch, A anchors per cell, N anchors of all maps, K classes.

Source:
    RetinaNet, arXiv:1708.02002, with the settings and losses of mmdetection 2.28: absolute errors of deltas,
    and both losses divided by the positive anchors of the batch, where each image counts at least one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import clip_boxes_to_image, sigmoid_focal_loss

from lsbench.detection.settings import RetinaNetSettings
from lsbench.models.downstream.anchors import ExactAnchors
from lsbench.models.downstream.boxes import ClippedBoxCoder, precise, suppress
from lsbench.models.downstream.matching import BACKGROUND, BestBoxMatcher, match_anchors
from lsbench.models.downstream.model import DownstreamModel, scale_of
from lsbench.models.downstream.neck import PyramidPlan
from lsbench.models.downstream.targets import Size, Target, check_objects, image_size_of

IOU_THRESHOLD = 0.5
SCALES_PER_OCTAVE = 3


class RetinaNet(DownstreamModel):
    """Boxes of each class, directly from anchors.

    Args:
        backbone: timm's feature extractor around a model.
        settings: Sizes.
        num_classes: Classes.
    """

    #: From stride 4 on, its map is not used.
    plans: ClassVar[Mapping[int, PyramidPlan]] = {4: PyramidPlan(first=1, extra=2), 8: PyramidPlan(extra=1)}

    def __init__(self, backbone: nn.Module, settings: RetinaNetSettings, num_classes: int) -> None:
        super().__init__(backbone, settings, num_classes)
        self.settings = settings
        sides = [settings.anchor_scale * 2 ** (step / SCALES_PER_OCTAVE) for step in range(SCALES_PER_OCTAVE)]
        self.anchors = ExactAnchors(self.strides, sides)
        self.head = RetinaNetHead(settings.channels, self.anchors.per_cell, num_classes)
        for part in (self.head.classification_head, self.head.regression_head):
            part.conv = _resized(part.conv, settings.convs, settings.channels)
        self.box_coder = ClippedBoxCoder((1.0, 1.0, 1.0, 1.0))
        self.matcher = BestBoxMatcher(0.5, 0.4, least=0.0)

    def plan_for(self, stride: int, settings: RetinaNetSettings) -> PyramidPlan:
        """Return the maps of the pyramid for a backbone that begins at `stride`."""
        plan = self.plans[stride]
        return plan if settings.extra_levels is None else PyramidPlan(plan.first, extra=settings.extra_levels)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses of normalised, padded images (B, 3, H, W).

        Args:
            images: The images.
            targets: For each, ``boxes`` (M, 4) in its pixels, ``labels`` (M,) from 0 and, if it is padded,
                ``image_size``, its height and width before.

        Returns:
            ``loss_cls`` and ``loss_bbox``.

        Raises:
            DataError: If a box has no area, a label is no class, or shapes do not fit.
        """
        check_objects(targets, self.num_classes)
        maps = self.pyramid(images)
        logits, deltas = self.predict_anchors(maps)
        anchors = torch.cat(self.anchors.per_level(maps))
        usable = [self.anchors.of_image(maps, image_size_of(target, images)) for target in targets]
        matches = match_anchors(self.matcher, anchors, usable, targets)
        total = torch.stack([(match >= 0).sum() for match in matches]).clamp(min=1).sum()
        classes, errors = [], []
        for logit, delta, match, target in zip(logits, deltas, matches, targets, strict=True):
            positive = match >= 0
            wanted = torch.zeros_like(logit)
            wanted[positive, target["labels"][match[positive]]] = 1
            counted = positive | (match == BACKGROUND)
            classes.append(sigmoid_focal_loss(logit[counted], wanted[counted], 0.25, 2, reduction="sum"))
            boxes = target["boxes"].to(anchors)[match[positive]]
            encoded = self.box_coder.encode_single(boxes, anchors[positive])
            errors.append((delta[positive] - encoded).abs().sum())
        return {
            "loss_cls": torch.stack(classes).sum() / total,
            "loss_bbox": torch.stack(errors).sum() / total,
        }

    def outputs(self, images: Tensor) -> list[Tensor]:
        """Return logits (B, N, K) and deltas (B, N, 4) of all anchors for images (B, 3, H, W)."""
        return list(self.predict_anchors(self.pyramid(images)))

    def predict_anchors(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (B, N, K) and deltas (B, N, 4) of the anchors of all maps."""
        found = self.head(list(maps))
        return precise(found["cls_logits"]), precise(found["bbox_regression"])

    def _predict(
        self, images: Tensor, image_sizes: list[Size], original_sizes: list[Size]
    ) -> list[dict[str, Tensor]]:
        maps = self.pyramid(images)
        logits, deltas = self.predict_anchors(maps)
        anchors = self.anchors.per_level(maps)
        lengths = [len(level) for level in anchors]
        return [
            self._best(
                list(zip(logit.split(lengths), delta.split(lengths), anchors, strict=True)),
                image_size,
                scale_of(image_size, original_size, logit),
            )
            for logit, delta, image_size, original_size in zip(
                logits, deltas, image_sizes, original_sizes, strict=True
            )
        ]

    def _best(
        self, levels: Sequence[tuple[Tensor, Tensor, Tensor]], image_size: Size, scale: Tensor
    ) -> dict[str, Tensor]:
        """Return boxes, scores and labels of one image from each map's logits, deltas and anchors."""
        boxes, scores, labels = [], [], []
        for logits, deltas, anchors in levels:
            found = logits.sigmoid()
            cells, classes = torch.where(found > self.settings.score_threshold)
            best, order = found[cells, classes].sort(descending=True)
            best, order = best[: self.settings.candidates], order[: self.settings.candidates]
            cells = cells[order]
            scores.append(best)
            labels.append(classes[order])
            boxes.append(
                clip_boxes_to_image(self.box_coder.decode_single(deltas[cells], anchors[cells]), image_size)
            )
        box, score, label = torch.cat(boxes) / scale, torch.cat(scores), torch.cat(labels)
        kept = suppress(box, score, label, IOU_THRESHOLD)[: self.settings.detections]
        return {"boxes": box[kept], "scores": score[kept], "labels": label[kept]}


def _resized(convs: nn.Sequential, count: int, width: int) -> nn.Sequential:
    """Return a tower of `count` convolutions of the kind and width of torchvision's four, freshly drawn."""
    if count <= len(convs):
        return convs[:count]
    more = RetinaNetHead(width, 1, 1).regression_head.conv
    return nn.Sequential(*convs, *_resized(more, count - len(convs), width))
