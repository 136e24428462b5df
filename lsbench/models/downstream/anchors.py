"""Anchors of a pyramid: sides and strides as they are, without torchvision's rounding.

Shapes: H, W the size of a map, A anchors per cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator

RATIOS = (0.5, 1.0, 2.0)
#: Images are padded to multiples of this many pixels.
PAD = 32


class ExactAnchors(AnchorGenerator):  # type: ignore[misc] # torchvision has no types
    """torchvision's anchors, not rounded, at known strides.

    Args:
        strides: The stride of each map in pixels.
        scales: Sides of a map's anchors, in strides of the map.
        ratios: Heights of anchors, in widths.
    """

    def __init__(
        self, strides: Sequence[int], scales: Sequence[float], ratios: Sequence[float] = RATIOS
    ) -> None:
        self.strides = tuple(strides)
        self.scales = tuple(scales)
        # The parent calls `generate_anchors` with each map's sizes.
        super().__init__(tuple((stride,) for stride in strides), (tuple(ratios),) * len(strides))

    @property
    def per_cell(self) -> int:
        """The number of anchors of each cell of a map."""
        return len(self.scales) * len(self.aspect_ratios[0])

    def generate_anchors(
        self,
        scales: Sequence[float],
        aspect_ratios: Sequence[float],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return the anchors around the origin for a map of stride ``scales[0]``, shape (A, 4)."""
        (stride,) = scales
        heights = torch.tensor(aspect_ratios, dtype=dtype, device=device).sqrt()
        own = torch.tensor(self.scales, dtype=dtype, device=device)
        width = ((stride * (1 / heights))[:, None] * own).flatten()
        height = ((stride * heights)[:, None] * own).flatten()
        return torch.stack([-width, -height, width, height], dim=1) / 2

    def per_level(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the anchors of each map, shape (H * W * A, 4), in the order of its cells."""
        dtype = torch.float64 if maps[0].dtype == torch.float64 else torch.float32
        self.set_cell_anchors(dtype, maps[0].device)
        found: list[Tensor] = self.grid_anchors(
            [tuple(one.shape[-2:]) for one in maps], [(stride, stride) for stride in self.strides]
        )
        return found

    def of_image(self, maps: Sequence[Tensor], image_size: tuple[int, int]) -> Tensor:
        """Return which anchors belong to an image and its own padding, not to a larger one beside it.

        Args:
            maps: Maps of the batch.
            image_size: Height and width of the image before padding.

        Returns:
            True or false for each anchor of all maps.
        """
        height, width = (math.ceil(side / PAD) * PAD for side in image_size)
        found = []
        for one, stride in zip(maps, self.strides, strict=True):
            inside = torch.zeros(one.shape[-2:], dtype=torch.bool, device=one.device)
            inside[: math.ceil(height / stride), : math.ceil(width / stride)] = True
            found.append(inside.flatten().repeat_interleave(self.per_cell))
        return torch.cat(found)
