"""Settings of the training-time augmentation, as written in a suite; no torch here."""

from __future__ import annotations

from pydantic import Field

from lsbench.core.spec import StrictModel


class Augment(StrictModel):
    """Random changes of training images.

    Data sets kept in memory support `flip` and `crop_padding`; the others need files on disk.

    Attributes:
        flip: Probability of a horizontal flip.
        random_resized_crop: Crop a random part (8-100 % of the area) and resize it, as for ImageNet;
            otherwise resize to the square and shift by `crop_padding`.
        auto_augment: timm's policy string, e.g. ``rand-m9-mstd0.5-inc1``; ``None`` for none.
        erase: Probability of erasing a random rectangle with noise.
        crop_padding: Largest random shift in pixels, filled with black; not used together with
            `random_resized_crop`.
    """

    flip: float = Field(default=0.5, ge=0.0, le=1.0)
    random_resized_crop: bool = False
    auto_augment: str | None = None
    erase: float = Field(default=0.0, ge=0.0, le=1.0)
    crop_padding: int = Field(default=0, ge=0)
