"""Mask R-CNN, as the authors train and test it.

Source:
    Mask R-CNN, arXiv:1703.06870, with the settings of mmdetection 2.28.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from lsbench.detection.settings import MaskRCNNSettings
from lsbench.models.downstream.model import DownstreamModel, scale_of
from lsbench.models.downstream.neck import PyramidPlan
from lsbench.models.downstream.proposals import ProposalNetwork
from lsbench.models.downstream.regions import RegionHeads
from lsbench.models.downstream.targets import Size, Target, check_objects, image_size_of


class MaskRCNN(DownstreamModel):
    """Boxes, classes and masks of proposals.

    Args:
        backbone: timm's feature extractor around a model.
        settings: Sizes.
        num_classes: Classes.
    """

    plans: ClassVar[Mapping[int, PyramidPlan]] = {4: PyramidPlan(pooled=True), 8: PyramidPlan(upsampled=True)}

    def __init__(self, backbone: nn.Module, settings: MaskRCNNSettings, num_classes: int) -> None:
        super().__init__(backbone, settings, num_classes)
        self.rpn = ProposalNetwork(settings, self.strides)
        self.roi_heads = RegionHeads(settings, self.strides, num_classes)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses of normalised, padded images (B, 3, H, W).

        Args:
            images: The images.
            targets: For each, ``boxes`` (M, 4) in its pixels, ``labels`` (M,) from 0, ``masks`` (M, h, w),
                zero or one, and, if it is padded, ``image_size``, its height and width before.

        Returns:
            ``loss_rpn_cls``, ``loss_rpn_bbox``, ``loss_cls``, ``loss_bbox`` and ``loss_mask``.

        Raises:
            DataError: If a box has no area, a label is no class, or shapes do not fit.
        """
        check_objects(targets, self.num_classes, with_masks=True)
        maps = self.pyramid(images)
        sizes = [image_size_of(target, images) for target in targets]
        proposals, losses = self.rpn(maps, sizes, targets)
        height, width = images.shape[-2:]
        return {**losses, **self.roi_heads(maps, proposals, (height, width), targets)}

    def outputs(self, images: Tensor) -> list[Tensor]:
        """Return what the heads give for images (B, 3, H, W) with as many regions as the settings allow.

        Returns:
            Logits and deltas of anchors and of proposals, and logits of masks of detections.
        """
        maps = self.pyramid(images)
        scores, deltas = self.rpn.predict_levels(maps)
        settings = self.rpn.settings
        proposals = [_spread(settings.proposals, images) for _ in images]
        boxes = self.roi_heads.predict_boxes(maps, proposals)
        masks = self.roi_heads.predict_masks(maps, [_spread(settings.detections, images) for _ in images])
        return [*scores, *deltas, *boxes, masks]

    def _predict(
        self, images: Tensor, image_sizes: list[Size], original_sizes: list[Size]
    ) -> list[dict[str, Tensor]]:
        maps = self.pyramid(images)
        proposals, _ = self.rpn(maps, image_sizes)
        scales = [
            scale_of(image, original, proposal)
            for image, original, proposal in zip(image_sizes, original_sizes, proposals, strict=True)
        ]
        return self.roi_heads.detect(maps, proposals, image_sizes, scales, original_sizes)


def _spread(count: int, images: Tensor) -> Tensor:
    """Return boxes (count, 4) around the middle of images, from a 32nd of their sides to the whole."""
    height, width = images.shape[-2:]
    sides = torch.logspace(-5, 0, count, base=2, device=images.device)[:, None]
    whole = torch.tensor([width, height], dtype=torch.float32, device=images.device)
    return torch.cat([whole * (1 - sides) / 2, whole * (1 + sides) / 2], dim=1)
