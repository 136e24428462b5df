"""The region proposal network of Mask R-CNN.

Shapes: B batch, A anchors per cell, N anchors of all maps.

Source:
    Faster R-CNN, arXiv:1506.01497, with the settings and losses of the authors' detector (mmdetection 2.28):
    absolute errors of deltas, and sums over the sampled anchors of the batch divided by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.rpn import RPNHead, permute_and_flatten
from torchvision.ops import clip_boxes_to_image

from lsbench.detection.settings import MaskRCNNSettings
from lsbench.models.downstream.anchors import ExactAnchors
from lsbench.models.downstream.boxes import ClippedBoxCoder, precise, suppress
from lsbench.models.downstream.matching import BACKGROUND, BestBoxMatcher, match_anchors

IOU_THRESHOLD = 0.7
POSITIVE_SHARE = 0.5


class ProposalNetwork(nn.Module):
    """Finds boxes that may hold an object of any class.

    Args:
        settings: Sizes.
        strides: Strides of the pyramid's maps.
    """

    def __init__(self, settings: MaskRCNNSettings, strides: Sequence[int]) -> None:
        super().__init__()
        self.settings = settings
        self.anchors = ExactAnchors(strides, (settings.anchor_scale,))
        self.head = RPNHead(settings.channels, self.anchors.per_cell)
        self.box_coder = ClippedBoxCoder((1.0, 1.0, 1.0, 1.0))
        self.matcher = BestBoxMatcher(0.7, 0.3, least=0.3)
        self.sampler = BalancedPositiveNegativeSampler(settings.sampled_anchors, POSITIVE_SHARE)

    def forward(
        self,
        maps: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
        targets: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Return the proposals of each image, the best first, and the losses if there are targets.

        Args:
            maps: Maps of the pyramid.
            image_sizes: Height and width of each image before padding.
            targets: For each image, ``boxes`` (M, 4).
        """
        anchors = self.anchors.per_level(maps)
        scores, deltas = self.predict_levels(maps)
        levels = list(zip(anchors, scores, deltas, strict=True))
        proposals = [self._propose(levels, index, size) for index, size in enumerate(image_sizes)]
        if targets is None:
            return proposals, {}
        usable = [self.anchors.of_image(maps, size) for size in image_sizes]
        matches = match_anchors(self.matcher, torch.cat(anchors), usable, targets)
        losses = self._losses(
            torch.cat(scores, 1), torch.cat(deltas, 1), torch.cat(anchors), matches, targets
        )
        return proposals, losses

    def predict_levels(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits (B, H * W * A) and deltas (B, H * W * A, 4) of each map."""
        objectness, deltas = self.head(list(maps))
        return (
            [flatten_cells(x, self.anchors.per_cell).squeeze(-1) for x in objectness],
            [flatten_cells(x, self.anchors.per_cell) for x in deltas],
        )

    @torch.no_grad()
    def _propose(
        self, levels: Sequence[tuple[Tensor, Tensor, Tensor]], index: int, image_size: tuple[int, int]
    ) -> Tensor:
        """Return the proposals of one image of the batch, shape (n, 4)."""
        settings = self.settings
        most = settings.candidates_in_training if self.training else settings.candidates
        kept = settings.proposals_in_training if self.training else settings.proposals
        boxes, scores, groups = [], [], []
        for level, (anchors, all_logits, all_deltas) in enumerate(levels):
            best, deltas = all_logits[index].sigmoid(), all_deltas[index]
            if len(best) > most:
                best, order = best.sort(descending=True)
                best, order = best[:most], order[:most]
                anchors, deltas = anchors[order], deltas[order]  # noqa: PLW2901 - the best of this level
            boxes.append(self.box_coder.decode_single(deltas, anchors))
            scores.append(best)
            groups.append(torch.full_like(best, level, dtype=torch.int64))
        found, score, group = torch.cat(boxes), torch.cat(scores), torch.cat(groups)
        found = clip_boxes_to_image(found, image_size)
        solid = (found[:, 2:] > found[:, :2]).all(dim=1)
        found, score, group = found[solid], score[solid], group[solid]
        chosen = suppress(found, score, group, IOU_THRESHOLD)[:kept]
        proposals: Tensor = found[chosen]
        return proposals

    def _losses(
        self,
        logits: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        matches: Sequence[Tensor],
        targets: Sequence[Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Return the losses of logits (B, N) and deltas (B, N, 4) on a random sample of the anchors."""
        kinds = [torch.where(match >= 0, 1, torch.where(match == BACKGROUND, 0, -1)) for match in matches]
        positive, negative = (torch.stack(masks).bool() for masks in self.sampler(kinds))
        # An image without positive (or negative) anchors counts as if it had one.
        total = (positive.sum(1).clamp(min=1) + negative.sum(1).clamp(min=1)).sum()
        sampled = positive | negative
        objectness = F.binary_cross_entropy_with_logits(
            logits[sampled], positive[sampled].to(logits), reduction="sum"
        )
        errors = [
            (delta[chosen] - self._encoded(target, match[chosen], anchors[chosen])).abs().sum()
            for delta, chosen, match, target in zip(deltas, positive, matches, targets, strict=True)
        ]
        return {"loss_rpn_cls": objectness / total, "loss_rpn_bbox": torch.stack(errors).sum() / total}

    def _encoded(self, target: Mapping[str, Tensor], objects: Tensor, anchors: Tensor) -> Tensor:
        """Return the deltas (n, 4) from anchors (n, 4) to the boxes of their objects (n,)."""
        encoded: Tensor = self.box_coder.encode_single(target["boxes"].to(anchors)[objects], anchors)
        return encoded


def flatten_cells(x: Tensor, per_cell: int) -> Tensor:
    """Return what a head says of each anchor, shape (B, H * W * A, V), of its map (B, A * V, H, W).

    Half precision becomes single: boxes need it.
    """
    batch, channels, height, width = x.shape
    flat: Tensor = permute_and_flatten(x, batch, per_cell, channels // per_cell, height, width)
    return precise(flat)
