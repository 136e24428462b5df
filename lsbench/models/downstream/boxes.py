"""Boxes of detectors: deltas, suppression and regions of the pyramid, where torchvision's defaults differ.

A box is (x1, y1, x2, y2) in pixels. Shapes: N boxes, K classes.

Source:
    The authors' detectors follow mmdetection 2.28, whose rules these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import nms, roi_align

#: From this many boxes on, groups are suppressed one by one.
MANY = 10_000
#: A region with sides of this many pixels, and up to twice as many, is taken from the finest map.
FINEST_SIDE = 56


class ClippedBoxCoder(BoxCoder):  # type: ignore[misc] # torchvision has no types
    """torchvision's box coder, where a box shrinks at most as much as it grows: by a factor of 62.5."""

    def decode_single(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """Return the boxes (N, 4 K) that deltas (N, 4 K) make of boxes (N, 4)."""
        codes = by_class(rel_codes)
        least = codes.new_tensor([-self.bbox_xform_clip * weight for weight in self.weights[2:]])
        codes = torch.cat([codes[..., :2], codes[..., 2:].maximum(least)], dim=-1)
        decoded: Tensor = super().decode_single(codes.flatten(-2), boxes)
        return decoded


def by_class(deltas: Tensor) -> Tensor:
    """Return deltas or boxes (N, 4 K) as (N, K, 4)."""
    return deltas.reshape(len(deltas), deltas.shape[1] // 4, 4)


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of the boxes that are kept, the best first; only boxes of one group compete.

    Args:
        boxes: Shape (N, 4). Empty ones stay.
        scores: Shape (N,).
        groups: The class or level of each box, shape (N,).
        iou_threshold: Of two boxes that overlap by more, the better one is kept.
    """
    if not len(boxes):
        return groups
    # Groups are moved apart in single precision: another way of telling them apart rounds otherwise.
    apart = boxes + (groups.to(boxes) * (boxes.max() + 1))[:, None]
    if len(boxes) < MANY:
        kept: Tensor = nms(apart, scores, iou_threshold)
        return kept
    parts = []
    for group in torch.unique(groups):
        members = torch.where(groups == group)[0]
        parts.append(members[nms(apart[members], scores[members], iou_threshold)])
    kept = torch.cat(parts).sort().values
    return kept[scores[kept].sort(descending=True).indices]


def pool_regions(
    maps: Sequence[Tensor], strides: Sequence[int], boxes: Sequence[Tensor], side: int
) -> Tensor:
    """Return the features of regions, shape (N, C, side, side): each from the map that fits its size.

    Points are averaged where they lie, half a pixel before torchvision's default, and as densely as the map.

    Args:
        maps: Maps of a pyramid (B, C, H, W), from the finest on.
        strides: Their strides.
        boxes: The regions of each image, each (n, 4).
        side: Height and width of the result.
    """
    regions = torch.cat(
        [torch.cat([torch.full_like(part[:, :1], i), part], dim=1) for i, part in enumerate(boxes)]
    )
    levels = region_levels(regions[:, 1:], len(maps))
    pooled = maps[0].new_zeros(len(regions), maps[0].shape[1], side, side)
    for level, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        chosen = torch.where(levels == level)[0]
        if len(chosen):
            found = roi_align(features.to(regions), regions[chosen], side, 1 / stride, 0, aligned=True)
            pooled[chosen] = found.to(pooled)
    return pooled


def region_levels(boxes: Tensor, levels: int) -> Tensor:
    """Return the number of the map, from 0, that each box (N, 4) is taken from.

    >>> sides = (10, 111, 112, 900)
    >>> region_levels(torch.tensor([[0, 0, side, side] for side in sides]), 4).tolist()
    [0, 0, 1, 3]
    """
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (sides / FINEST_SIDE + 1e-6).log2().floor().clamp(0, levels - 1).long()


def split_like(values: Tensor, parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return `values` in pieces as long as the parts."""
    return torch.split(values, [len(part) for part in parts])


def precise(x: Tensor) -> Tensor:
    """Return half precision as single, which boxes and losses need; anything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
