"""What detectors and segmenters share: a backbone of four maps, a neck, and predictions in original pixels.

Shapes: B batch, H, W padded images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lsbench.core.errors import ConfigError
from lsbench.detection.settings import PyramidSettings
from lsbench.models.downstream.neck import FeaturePyramid, PyramidPlan
from lsbench.models.downstream.targets import Size

MAPS = 4
FIRST_STRIDES = (4, 8)


class DownstreamModel(nn.Module, ABC):
    """A detector or segmenter on a backbone.

    Calling it on images and targets gives its losses, each a scalar, whose sum is trained. On images alone it
    gives what its layers compute for any image: costs are counted and timed on that.

    Args:
        backbone: timm's feature extractor around a model.
        settings: Sizes.
        num_classes: Classes.

    Raises:
        ConfigError: If the backbone has no four maps, each half the last, from stride 4 or 8 on.
    """

    #: Plan of the pyramid for a backbone's first stride.
    plans: ClassVar[Mapping[int, PyramidPlan]]

    def __init__(self, backbone: nn.Module, settings: PyramidSettings, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.norm_eval = settings.norm_eval
        self.backbone = backbone
        self.chosen, channels, strides = four_maps(backbone)
        plan = self.plan_for(strides[0], settings)
        self.neck = FeaturePyramid(channels, settings.channels, plan)
        #: Strides of the pyramid's maps.
        self.strides = plan.strides(strides)

    def plan_for(self, stride: int, settings: Any) -> PyramidPlan:
        """Return the maps of the pyramid for a backbone that begins at `stride`."""
        return self.plans[stride]

    def train(self, mode: bool = True) -> DownstreamModel:
        """Set the mode; the backbone's batch normalisations stay in evaluation if `norm_eval`."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters that the backbone wants without weight decay."""
        found = set()
        for prefix, module in self.backbone.named_modules(prefix="backbone"):
            names = getattr(module, "no_weight_decay", None)
            found |= {f"{prefix}.{name}" for name in names()} if callable(names) else set()
        return found

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the pyramid's maps of images (B, 3, H, W), the finest first."""
        maps = self.backbone(images)
        is_last = str(getattr(self.backbone, "output_fmt", "NCHW")).endswith("NHWC")
        ordered = [maps[index].permute(0, 3, 1, 2) if is_last else maps[index] for index in self.chosen]
        return cast("list[Tensor]", self.neck(ordered))

    def forward(self, images: Tensor, targets: Any = None) -> dict[str, Tensor] | list[Tensor]:
        """Return :meth:`losses`, or :meth:`outputs` if there are no targets."""
        return self.outputs(images) if targets is None else self.losses(images, targets)

    @abstractmethod
    def losses(self, images: Tensor, targets: Any) -> dict[str, Tensor]:
        """Return the losses of normalised, padded images (B, 3, H, W), by name."""

    @abstractmethod
    def outputs(self, images: Tensor) -> list[Tensor]:
        """Return what all layers give for images (B, 3, H, W), whatever is found: costs are counted on it."""

    def predict(
        self, images: Tensor, image_sizes: Sequence[Size], original_sizes: Sequence[Size]
    ) -> list[dict[str, Tensor]]:
        """Return what the model finds in each image, in evaluation mode and without gradients.

        Args:
            images: Normalised images, padded with zeros to the right and below, shape (B, 3, H, W).
            image_sizes: Height and width of each image before padding; a segmenter takes the whole input.
            original_sizes: Height and width of each image in its file.

        Returns:
            For each image, of a detector ``boxes`` (N, 4) as (x1, y1, x2, y2) in pixels of the file,
            ``scores`` (N,) from the highest on, ``labels`` (N,) from 0 and, of Mask R-CNN, ``masks``
            (N, h, w), true or false; of a segmenter ``label_map`` (h, w).
        """
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self._predict(images, _sizes(image_sizes), _sizes(original_sizes))
        finally:
            self.train(was_training)

    @abstractmethod
    def _predict(
        self, images: Tensor, image_sizes: list[Size], original_sizes: list[Size]
    ) -> list[dict[str, Tensor]]: ...


def scale_of(image_size: Size, original_size: Size, like: Tensor) -> Tensor:
    """Return pixels of an image per pixel of its file, as (x, y, x, y)."""
    y, x = (side / original for side, original in zip(image_size, original_size, strict=True))
    return like.new_tensor([x, y, x, y])


def four_maps(backbone: nn.Module) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the numbers, channels and strides of the four maps that a backbone gives.

    Args:
        backbone: timm's feature extractor around a model.

    Raises:
        ConfigError: If there are no four maps, each half the last, from stride 4 or 8 on, and no more.
    """
    info = cast(Any, backbone).feature_info
    strides, channels = list(info.reduction()), list(info.channels())
    first = next((index for index, stride in enumerate(strides) if stride in FIRST_STRIDES), 0)
    kept = strides[first:]
    if len(kept) != MAPS or kept[0] not in FIRST_STRIDES or kept != [kept[0] * 2**i for i in range(MAPS)]:
        raise ConfigError(
            "detectors and segmenters need four maps, each half the last, from stride 4 or 8 on; "
            f"it gives maps of strides {', '.join(map(str, strides))}"
        )
    return tuple(range(first, first + MAPS)), tuple(channels[first:]), tuple(kept)


def has_inner_model(backbone: nn.Module) -> bool:
    """Return whether the model's weights are named below ``model.`` in its feature extractor."""
    return isinstance(backbone, FeatureGetterNet)


def _sizes(sizes: Sequence[Size]) -> list[Size]:
    """Return sizes as whole numbers, also of a tensor (B, 2)."""
    return [(int(height), int(width)) for height, width in sizes]
