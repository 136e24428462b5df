"""How an image becomes a model's input when nothing is random: size, crop, interpolation, normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timm.data import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    IMAGENET_INCEPTION_MEAN,
    IMAGENET_INCEPTION_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)

from lsbench.data.dataset import ImageFolders, Rgb

#: Share of the resized side that the crop keeps: the evaluation of DeiT and LSNet, 224 of 256 pixels.
CROP_PCT = 0.875
#: Mean and standard deviation -> timm's word for them.
_NAMES = {
    (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD): "imagenet",
    (IMAGENET_INCEPTION_MEAN, IMAGENET_INCEPTION_STD): "inception",
    (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD): "clip",
}


@dataclass(frozen=True)
class Preprocessing:
    """Size, crop, interpolation and normalisation, under timm's names.

    Attributes:
        img_size: Side of the square that the model sees, pixels.
        mean: Per-channel mean, RGB, of values in [0, 1].
        std: Per-channel standard deviation.
        crop_pct: The shorter side is resized to ``img_size / crop_pct`` before the crop.
        crop_mode: ``center``; or ``squash`` (the sides are resized one by one) or ``border`` (the longer side
            fits, with borders), as in timm.
        interpolation: Interpolation of the resizing.
    """

    img_size: int
    mean: Rgb
    std: Rgb
    crop_pct: float = CROP_PCT
    crop_mode: str = "center"
    interpolation: str = "bicubic"

    @classmethod
    def of_data(cls, folders: ImageFolders, img_size: int) -> Preprocessing:
        """Return the preprocessing of a data set: bicubic, crop 0.875, the data set's own normalisation."""
        return cls(img_size, folders.mean, folders.std)

    def with_config(self, config: Mapping[str, Any]) -> Preprocessing:
        """Return this preprocessing, changed by a config of ``timm.data.resolve_data_config``.

        Args:
            config: Any of ``input_size`` (channels, height, width), ``crop_pct``, ``crop_mode``,
                ``interpolation``, ``mean`` and ``std``.

        Raises:
            ValueError: If the images are not square, or not RGB.

        >>> Preprocessing(224, (0.0,) * 3, (1.0,) * 3).with_config({"input_size": (3, 256, 256)}).img_size
        256
        """
        channels, height, width = config.get("input_size", (3, self.img_size, self.img_size))
        if channels != 3 or height != width:
            raise ValueError(f"expected square RGB images, found {channels} x {height} x {width}")
        return Preprocessing(
            img_size=height,
            mean=tuple(config.get("mean", self.mean)),
            std=tuple(config.get("std", self.std)),
            crop_pct=config.get("crop_pct", self.crop_pct),
            crop_mode=config.get("crop_mode", self.crop_mode),
            interpolation=config.get("interpolation", self.interpolation),
        )

    @property
    def normalisation(self) -> str:
        """The normalisation as one word, or as its numbers.

        >>> Preprocessing(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).normalisation
        'inception'
        >>> Preprocessing(224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).normalisation
        '0/0/0:1/1/1'
        """
        numbers = ("/".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        return _NAMES.get((self.mean, self.std)) or ":".join(numbers)
