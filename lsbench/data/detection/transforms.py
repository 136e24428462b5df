"""Transforms of an image together with boxes and masks, built on torchvision's transforms v2.

Shapes: N objects, H rows, W columns; B images of a batch.

Source:
    Settings of LSNet's detection configurations (Wang et al., CVPR 2025, supplement A.1) and the semantics of
    mmdetection 2.28, which they run in.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchvision.transforms import v2

from lsbench.data.loading.keep_ratio import KeepRatioResize, Normalise, Scaling

#: An image and its target, a dict of ``boxes``, ``labels`` and more.
Sample = tuple[Tensor, dict[str, Any]]


def create_train_transform(scaling: Scaling, flip: float) -> v2.Compose:
    """Return the transform of training images with a probability of a horizontal flip.

    It draws from the global generator of torch.
    """
    return v2.Compose(
        [
            KeepRatioResize(scaling),
            v2.ClampBoundingBoxes(),
            v2.RandomHorizontalFlip(flip),
            Normalise(scaling.mean, scaling.std),
        ]
    )


def create_eval_transform(scaling: Scaling) -> v2.Compose:
    """Return the transform of test images."""
    return v2.Compose([KeepRatioResize(scaling), Normalise(scaling.mean, scaling.std)])


def pad_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Return masks of shape ``(N, h, w)`` with zeros to the right and below, shape ``(N, *size)``."""
    padded = masks.new_zeros((len(masks), *size))
    padded[:, : masks.shape[1], : masks.shape[2]] = masks
    return padded


def drop_empty_boxes(target: dict[str, Any]) -> dict[str, Any]:
    """Return a target without boxes that have no width or height, as rounding can leave them."""
    boxes = target["boxes"]
    is_kept = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    if bool(is_kept.all()):
        return target
    return {
        key: value[is_kept] if key in ("boxes", "labels", "masks") else value for key, value in target.items()
    }
