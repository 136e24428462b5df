"""The second stage of Mask R-CNN: classes, boxes and masks of proposals.

Shapes: N proposals of all images, K classes, which come first; the last column of logits is background.

Source:
    Mask R-CNN, arXiv:1703.06870, with the settings and losses of the authors' detector (mmdetection 2.28).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import clip_boxes_to_image

from lsbench.detection.settings import MaskRCNNSettings
from lsbench.models.downstream.boxes import (
    ClippedBoxCoder,
    by_class,
    pool_regions,
    precise,
    split_like,
    suppress,
)
from lsbench.models.downstream.masks import mask_targets, paste_masks
from lsbench.models.downstream.matching import BestBoxMatcher
from lsbench.models.downstream.neck import zero_bias

BOX_SIDE, MASK_SIDE = 7, 14
IOU_THRESHOLD = 0.5
POSITIVE_SHARE = 0.25
#: Boxes move by tenths of their size, and grow by fifths.
DELTA_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
#: Maps that regions are taken from.
LEVELS = 4


class BoxPredictor(nn.Module):
    """The last layers of the box head: logits (N, K + 1) and deltas (N, 4 K), none for background."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_features, num_classes + 1)
        self.bbox_pred = nn.Linear(in_features, 4 * num_classes)
        for layer, std in ((self.cls_score, 0.01), (self.bbox_pred, 0.001)):
            nn.init.normal_(layer.weight, std=std)
            zero_bias(layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and deltas of features (N, in_features)."""
        return self.cls_score(x), self.bbox_pred(x)


@dataclass(frozen=True)
class SampledRegions:
    """Proposals of one image that the heads learn from.

    Attributes:
        boxes: Shape (n, 4).
        labels: Their classes; K is background.
        objects: The object of each; 0 for background.
    """

    boxes: Tensor
    labels: Tensor
    objects: Tensor


class RegionHeads(nn.Module):
    """Classes, boxes and masks of proposals.

    Args:
        settings: Sizes.
        strides: Strides of the pyramid's maps.
        num_classes: Classes.
    """

    def __init__(self, settings: MaskRCNNSettings, strides: Sequence[int], num_classes: int) -> None:
        super().__init__()
        width = settings.channels
        self.settings, self.num_classes = settings, num_classes
        self.strides = tuple(strides[:LEVELS])
        self.box_head = TwoMLPHead(width * BOX_SIDE**2, settings.box_channels)
        for layer in (self.box_head.fc6, self.box_head.fc7):
            nn.init.xavier_uniform_(layer.weight)
            zero_bias(layer)
        self.box_predictor = BoxPredictor(settings.box_channels, num_classes)
        self.mask_head = MaskRCNNHeads(width, (width,) * settings.mask_convs, 1)
        self.mask_predictor = MaskRCNNPredictor(width, width, num_classes)
        for layer in (self.mask_predictor.conv5_mask, self.mask_predictor.mask_fcn_logits):
            zero_bias(layer)
        self.box_coder = ClippedBoxCoder(DELTA_WEIGHTS)
        self.matcher = BestBoxMatcher(0.5, 0.5, least=0.5)
        self.sampler = BalancedPositiveNegativeSampler(settings.sampled_proposals, POSITIVE_SHARE)

    def forward(
        self,
        maps: Sequence[Tensor],
        proposals: Sequence[Tensor],
        padded_size: tuple[int, int],
        targets: Sequence[Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Return the losses of a random sample of the proposals.

        Args:
            maps: Maps of the pyramid.
            proposals: Those of each image, each (n, 4).
            padded_size: Height and width of the batch of images.
            targets: For each image ``boxes`` (M, 4), ``labels`` (M,) from 0 and ``masks`` (M, h, w).
        """
        samples = [self._sample(one, target) for one, target in zip(proposals, targets, strict=True)]
        logits, deltas = self.predict_boxes(maps, [sample.boxes for sample in samples])
        losses = self._box_losses(logits, deltas, samples, targets)
        losses["loss_mask"] = self._mask_loss(maps, samples, padded_size, targets)
        return losses

    def predict_boxes(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (N, K + 1) and deltas (N, 4 K) of the boxes of each image."""
        pooled = pool_regions(maps[:LEVELS], self.strides, boxes, BOX_SIDE)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        return precise(logits), precise(deltas)

    def predict_masks(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Return the logits of each class's mask on the grid of each box, shape (N, K, side, side)."""
        pooled = pool_regions(maps[:LEVELS], self.strides, boxes, MASK_SIDE)
        return precise(self.mask_predictor(self.mask_head(pooled)))

    def detect(
        self,
        maps: Sequence[Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
        scales: Sequence[Tensor],
        original_sizes: Sequence[tuple[int, int]],
    ) -> list[dict[str, Tensor]]:
        """Return the detections of each image in its original pixels: boxes, scores, labels and masks.

        Args:
            maps: Maps of the pyramid.
            proposals: Those of each image, each (n, 4).
            image_sizes: Height and width of each image before padding.
            scales: Pixels of each image per original pixel, as (x, y, x, y).
            original_sizes: Height and width of each image in its file.
        """
        logits, deltas = self.predict_boxes(maps, proposals)
        parts = zip(proposals, split_like(logits, proposals), split_like(deltas, proposals), strict=True)
        found = [
            self._best(boxes, logit, delta, size, scale)
            for (boxes, logit, delta), size, scale in zip(parts, image_sizes, scales, strict=True)
        ]
        regions = [one["boxes"] * scale for one, scale in zip(found, scales, strict=True)]
        masks = split_like(self.predict_masks(maps, regions), regions)
        for one, region, logit, scale, size in zip(
            found, regions, masks, scales, original_sizes, strict=True
        ):
            of_class = logit[torch.arange(len(region), device=region.device), one["labels"]]
            one["masks"] = paste_masks(of_class.sigmoid(), region / scale, size)
        return found

    def _best(
        self, proposals: Tensor, logits: Tensor, deltas: Tensor, image_size: tuple[int, int], scale: Tensor
    ) -> dict[str, Tensor]:
        """Return boxes, scores and labels of one image."""
        all_boxes = by_class(self.box_coder.decode_single(deltas, proposals))
        all_boxes = clip_boxes_to_image(all_boxes, image_size) / scale
        all_scores = logits.softmax(-1)[:, : self.num_classes]
        regions, labels = torch.where(all_scores > self.settings.score_threshold)
        boxes, scores = all_boxes[regions, labels], all_scores[regions, labels]
        kept = suppress(boxes, scores, labels, IOU_THRESHOLD)[: self.settings.detections]
        return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]}

    @torch.no_grad()
    def _sample(self, proposals: Tensor, target: Mapping[str, Tensor]) -> SampledRegions:
        """Return a random sample of an image's proposals and its objects' own boxes."""
        objects = target["boxes"].to(proposals)
        own = torch.arange(len(objects), device=proposals.device)
        boxes = torch.cat([objects, proposals])
        matches = torch.cat([own, self.matcher.match(objects, proposals)])
        positive, negative = (masks[0].bool() for masks in self.sampler([(matches >= 0).long()]))
        chosen = torch.where(positive | negative)[0]
        boxes, matches = boxes[chosen], matches[chosen]
        labels = torch.full_like(matches, self.num_classes)
        labels[matches >= 0] = target["labels"][matches[matches >= 0]]
        return SampledRegions(boxes, labels, matches.clamp(min=0))

    def _box_losses(
        self,
        logits: Tensor,
        deltas: Tensor,
        samples: Sequence[SampledRegions],
        targets: Sequence[Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        labels = torch.cat([sample.labels for sample in samples])
        total = max(len(labels), 1)
        positive = torch.where(labels < self.num_classes)[0]
        boxes = torch.cat([sample.boxes for sample in samples])[positive]
        objects = [
            target["boxes"].to(sample.boxes)[sample.objects[sample.labels < self.num_classes]]
            for sample, target in zip(samples, targets, strict=True)
        ]
        wanted = self.box_coder.encode_single(torch.cat(objects), boxes)
        own = by_class(deltas)[positive, labels[positive]]
        return {
            "loss_cls": F.cross_entropy(logits, labels, reduction="sum") / total,
            "loss_bbox": (own - wanted).abs().sum() / total,
        }

    def _mask_loss(
        self,
        maps: Sequence[Tensor],
        samples: Sequence[SampledRegions],
        padded_size: tuple[int, int],
        targets: Sequence[Mapping[str, Tensor]],
    ) -> Tensor:
        """Return the mean over all pixels of the grids of all positive proposals."""
        chosen = [torch.where(sample.labels < self.num_classes)[0] for sample in samples]
        boxes = [sample.boxes[index] for sample, index in zip(samples, chosen, strict=True)]
        logits = self.predict_masks(maps, boxes)
        if not len(logits):
            return logits.sum() * 0
        labels = torch.cat([sample.labels[index] for sample, index in zip(samples, chosen, strict=True)])
        wanted = [
            mask_targets(target["masks"], sample.objects[index], box, padded_size, logits.shape[-1])
            for target, sample, index, box in zip(targets, samples, chosen, boxes, strict=True)
        ]
        own = logits[torch.arange(len(labels), device=labels.device), labels]
        return F.binary_cross_entropy_with_logits(own, torch.cat(wanted).to(own))
