"""Which object an anchor or a proposal is trained to find.

Shapes: M objects, N boxes.

Source:
    Rules of the authors' detectors, those of mmdetection 2.28: an object without a good box takes its best
    ones, if they overlap enough, even from another object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

#: What a match says of a box without an object: background, or neither.
BACKGROUND, NEITHER = Matcher.BELOW_LOW_THRESHOLD, Matcher.BETWEEN_THRESHOLDS


class BestBoxMatcher(Matcher):  # type: ignore[misc] # torchvision has no types
    """torchvision's matcher, with another rule for objects that no box overlaps well.

    Args:
        high: Boxes match an object from this overlap (IoU) on.
        low: Below it they are background.
        least: An object takes the boxes that overlap it most if they do so by this much, whatever else they
            match; of several objects, the last.
    """

    def __init__(self, high: float, low: float, least: float) -> None:
        super().__init__(high, low, allow_low_quality_matches=True)
        self.least = least

    def set_low_quality_matches_(
        self, matches: Tensor, all_matches: Tensor, match_quality_matrix: Tensor
    ) -> None:
        """Give each object its best boxes; `matches` (N,) changes in place."""
        best = match_quality_matrix.max(dim=1, keepdim=True).values
        objects, boxes = torch.where((match_quality_matrix == best) & (best >= self.least))
        matches.scatter_reduce_(0, boxes, objects, "amax", include_self=False)

    def match(self, objects: Tensor, boxes: Tensor) -> Tensor:
        """Return the number of each box's object, :data:`BACKGROUND` or :data:`NEITHER`, shape (N,).

        Args:
            objects: Boxes of objects, shape (M, 4); M may be 0.
            boxes: Shape (N, 4).
        """
        if not len(objects) or not len(boxes):
            return torch.full((len(boxes),), BACKGROUND, device=boxes.device)
        found: Tensor = self(box_iou(objects, boxes))
        return found


def match_anchors(
    matcher: BestBoxMatcher,
    anchors: Tensor,
    usable: Sequence[Tensor],
    targets: Sequence[Mapping[str, Tensor]],
) -> list[Tensor]:
    """Return the match of every anchor of each image, shape (N,); unusable ones match :data:`NEITHER`.

    Args:
        matcher: The rule.
        anchors: Shape (N, 4).
        usable: For each image, which anchors take part, shape (N,).
        targets: For each image, ``boxes`` of shape (M, 4).
    """
    found = []
    for inside, target in zip(usable, targets, strict=True):
        matches = torch.full((len(anchors),), NEITHER, device=anchors.device)
        matches[inside] = matcher.match(target["boxes"].to(anchors), anchors[inside])
        found.append(matches)
    return found
