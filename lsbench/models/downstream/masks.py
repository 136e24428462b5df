"""Masks of objects: from the small map of a box into the image, and back for training.

Source:
    Rules of the authors' detector, those of mmdetection 2.28: the small map is read at the centres of the
    image's pixels, and a mask holds from one half on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import roi_align

THRESHOLD = 0.5


def paste_masks(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the mask of each box in its image, true or false, shape (N, h, w).

    Args:
        probabilities: Of each box's own grid, shape (N, side, side).
        boxes: Shape (N, 4), in pixels of the image.
        size: Height and width of the image.
    """
    height, width = size
    masks = torch.zeros(len(boxes), height, width, dtype=torch.bool, device=boxes.device)
    for mask, grid, (x1, y1, x2, y2) in zip(masks, probabilities, boxes, strict=True):
        rows = slice(max(int(y1.floor()) - 1, 0), min(int(y2.ceil()) + 1, height))
        columns = slice(max(int(x1.floor()) - 1, 0), min(int(x2.ceil()) + 1, width))
        y, x = _positions(rows, y1, y2), _positions(columns, x1, x2)
        points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        read = F.grid_sample(grid[None, None].to(points), points[None], align_corners=False)
        mask[rows, columns] = read[0, 0] >= THRESHOLD
    return masks


def _positions(pixels: slice, start: Tensor, end: Tensor) -> Tensor:
    """Return where the centres of pixels lie between the sides of a box: -1 is its start, 1 its end."""
    centres = torch.arange(pixels.start, max(pixels.stop, pixels.start), device=start.device).to(start) + 0.5
    found = (centres - start) / (end - start) * 2 - 1
    # A box without width has all centres at infinity; the middle of the grid stands for them.
    return torch.where(found.isinf(), 0, found)


def mask_targets(masks: Tensor, objects: Tensor, boxes: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """Return the part of each object's mask inside a box, zero or one, shape (n, side, side).

    Args:
        masks: Masks of the objects of an image, shape (M, h, w).
        objects: The object of each box, shape (n,).
        boxes: Shape (n, 4).
        size: Height and width of the padded image; there is nothing of any object in the padding.
        side: Height and width of a box's grid.
    """
    missing = [0, size[1] - masks.shape[2], 0, size[0] - masks.shape[1]]
    padded = F.pad(masks.to(boxes), missing)
    regions = torch.cat([objects[:, None].to(boxes), boxes], dim=1)
    inside: Tensor = roi_align(padded[:, None], regions, side, 1.0, 0, aligned=True)
    return (inside[:, 0] >= THRESHOLD).to(boxes)
