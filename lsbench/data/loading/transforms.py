"""Image transforms: timm's for files that are read each epoch, vectorised ones for images in memory.

Shapes: B images of a batch, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from PIL import Image, ImageOps
from timm.data import auto_augment
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torch.nn import functional as F
from torchvision import transforms as tv

from lsbench.core.errors import ConfigError
from lsbench.data.dataset import ImageFolders, Rgb
from lsbench.data.loading.augment import Augment
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.data.loading.train_order import TrainOrder

Transform = Callable[[Image.Image], Tensor]

__all__ = ["Augment", "EpochPlan", "Transform", "create_eval_transform", "create_train_transform"]


def create_eval_transform(preprocessing: Preprocessing) -> Transform:
    """Return timm's own transform for evaluation: resize, crop and normalisation."""
    transform = create_transform(
        preprocessing.img_size,
        is_training=False,
        interpolation=preprocessing.interpolation,
        crop_pct=preprocessing.crop_pct,
        crop_mode=preprocessing.crop_mode,
        mean=preprocessing.mean,
        std=preprocessing.std,
    )
    return cast(Transform, transform)


def create_train_transform(folders: ImageFolders, img_size: int, augment: Augment) -> Transform:
    """Return the random training transform; it draws from the global generators.

    Without ``random_resized_crop`` the crop is a resize to the square and a shift of at most
    ``crop_padding`` pixels, as DeiT does for CIFAR.

    Raises:
        ConfigError: If ``crop_padding`` is set together with ``random_resized_crop``.
    """
    if augment.random_resized_crop and augment.crop_padding:
        raise ConfigError(
            "augment: expected either random_resized_crop or crop_padding, found both; remove one of them"
        )
    transform = create_transform(
        img_size,
        is_training=True,
        hflip=augment.flip,
        color_jitter=None,  # type: ignore[arg-type]  # None turns it off
        auto_augment=augment.auto_augment,
        interpolation="bicubic",
        re_prob=augment.erase,
        re_mode="pixel",
        mean=folders.mean,
        std=folders.std,
    )
    _let_posterize_keep_no_bit(transform)
    if not augment.random_resized_crop:
        resize = tv.Resize((img_size, img_size), tv.InterpolationMode.BICUBIC)
        crop = tv.RandomCrop(img_size, padding=augment.crop_padding or None)
        transform.transforms[0] = tv.Compose([resize, crop])
    return cast(Transform, transform)


def _let_posterize_keep_no_bit(transform: tv.Compose) -> None:
    """Return a black image for posterising to 0 bits, which timm's policies draw and Pillow 13 refuses."""
    for step in transform.transforms:
        for operation in getattr(step, "ops", ()):
            if operation.aug_fn is auto_augment.posterize:
                operation.aug_fn = _posterize


def _posterize(image: Image.Image, bits_to_keep: int, **options: object) -> Image.Image:
    if bits_to_keep <= 0:
        return Image.new(image.mode, image.size)
    return ImageOps.posterize(image, bits_to_keep) if bits_to_keep < 8 else image


def check_in_memory(augment: Augment) -> None:
    """Check that `augment` uses only settings that the in-memory path supports.

    Raises:
        ConfigError: Names every unsupported setting.
    """
    asked = {
        "random_resized_crop": augment.random_resized_crop,
        "auto_augment": augment.auto_augment is not None,
        "erase": augment.erase > 0,
    }
    if wrong := [name for name, is_set in asked.items() if is_set]:
        raise ConfigError(
            f"augment: a data set kept in memory supports flip and crop_padding, found {', '.join(wrong)}; "
            "remove them or use a data set on disk"
        )


@dataclass(frozen=True)
class EpochPlan:
    """All random numbers of one epoch in memory, drawn at once; entry ``i`` is for its ``i``-th image.

    Attributes:
        order: The samples in training order, int64, shape ``(M,)``.
        is_flipped: Whether an image is mirrored, bool, shape ``(M,)``.
        shift: Rows and columns to shift by, int64 in ``[0, 2 * crop_padding]``, shape ``(M, 2)``;
            ``crop_padding`` means no shift.
    """

    order: Tensor
    is_flipped: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, order: TrainOrder, augment: Augment, epoch: int) -> EpochPlan:
        """Return the plan of an epoch: every copy of a sample has its own flip and shift."""
        samples, copies = order.draw(epoch)
        generator = torch.Generator().manual_seed(order.epoch_seed(epoch))
        torch.randperm(order.num_images, generator=generator)  # drawn for the order
        drawn = order.repeats * order.num_images
        is_flipped = torch.rand(drawn, generator=generator) < augment.flip
        shift = torch.randint(2 * augment.crop_padding + 1, (drawn, 2), generator=generator)
        rows = copies * order.num_images + samples
        return cls(order=samples, is_flipped=is_flipped[rows], shift=shift[rows])


def shift_and_flip(images: Tensor, is_flipped: Tensor, shift: Tensor, padding: int) -> Tensor:
    """Return each image shifted and then mirrored by its own amount, in one gather.

    Args:
        images: uint8, shape ``(B, C, H, W)``.
        is_flipped: bool, shape ``(B,)``.
        shift: int64 in ``[0, 2 * padding]``, shape ``(B, 2)``: first row and column of the window cut
            from the image padded with black.
        padding: Largest shift in pixels.
    """
    batch, channels, height, width = images.shape
    padded = F.pad(images, (padding,) * 4) if padding else images
    rows = shift[:, :1] + torch.arange(height)
    across = torch.arange(width).expand(batch, width)
    cols = shift[:, 1:] + torch.where(is_flipped[:, None], width - 1 - across, across)
    picked = rows[:, :, None] * padded.shape[3] + cols[:, None, :]  # (B, H, W) positions in H * W
    index = picked.reshape(batch, 1, -1).expand(batch, channels, -1)
    return padded.flatten(2).gather(2, index).view(batch, channels, height, width)


def normalise(images: Tensor, mean: Rgb, std: Rgb) -> Tensor:
    """Return uint8 images as float32 ``(value / 255 - mean) / std``, shape ``(B, 3, H, W)``.

    Args:
        images: uint8, shape ``(B, 3, H, W)``, or ``(B, 1, H, W)`` for grey, which is repeated.
        mean: Per-channel mean.
        std: Per-channel standard deviation.
    """
    scale, offset = scale_and_offset(mean, std)
    return images.float() * scale + offset


def scale_and_offset(mean: Rgb, std: Rgb) -> tuple[Tensor, Tensor]:
    """Return the scale and the offset that normalise a uint8 image.

    Both have the shape ``(1, 3, 1, 1)``.
    """
    scale = torch.tensor([1.0 / (255.0 * s) for s in std]).view(1, 3, 1, 1)
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(1, 3, 1, 1)
    return scale, offset
