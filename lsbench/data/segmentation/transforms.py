"""Transforms of an image together with its label map, built on torchvision's transforms v2.

Images are uint8 until they are normalised.

Source:
    Settings of LSNet's configuration of Semantic FPN (Wang et al., CVPR 2025, supplement A.1) and the
    semantics of mmsegmentation 0.30, which it runs in.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from lsbench.data.loading.keep_ratio import KeepRatioResize, Normalise, Scaling, padded_size
from lsbench.data.segmentation.folders import IGNORED

TRIES = 10
"""How often a crop is drawn anew where one class fills too much of it."""


class RandomKeepRatioResize(KeepRatioResize):
    """Resize by :class:`KeepRatioResize`, both bounds times a random factor.

    Args:
        scaling: The bounds of a factor of 1.
        factors: Range of the factor.
    """

    def __init__(self, scaling: Scaling, factors: tuple[float, float]) -> None:
        super().__init__(scaling)
        self._factors = factors

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the size of the resized image."""
        factor = _uniform(*self._factors)
        bounds = (int(self._scaling.img_size * factor), int(self._scaling.max_size * factor))
        scaled = Scaling(*bounds, self._scaling.mean, self._scaling.std)
        height, width = v2.query_size(flat_inputs)
        return {"size": list(scaled.size((height, width)))}


class CropOfSeveralClasses(v2.Transform):
    """Cut a random square, drawn anew up to ten times while one class fills too much of its counted pixels.

    Smaller images keep their size.

    Args:
        size: Side of the square, pixels.
        most: Share of the counted pixels that one class may not reach.
    """

    def __init__(self, size: int, most: float) -> None:
        super().__init__()
        self._size, self._most = size, most

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return top, left, height and width of the crop."""
        (label_map,) = (one for one in flat_inputs if isinstance(one, tv_tensors.Mask))
        plain = label_map.as_subclass(Tensor)
        box = self._draw(plain)
        for _ in range(TRIES):
            top, left, height, width = box
            if self._is_mixed(plain[..., top : top + height, left : left + width]):
                break
            box = self._draw(plain)
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one cropped input."""
        return self._call_kernel(F.crop, inpt, **params)

    def _draw(self, label_map: Tensor) -> tuple[int, int, int, int]:
        free = [max(side - self._size, 0) for side in label_map.shape[-2:]]
        top, left = (int(torch.randint(rest + 1, ())) for rest in free)
        height, width = (min(self._size, side) for side in label_map.shape[-2:])
        return top, left, height, width

    def _is_mixed(self, labels: Tensor) -> bool:
        counts = torch.bincount(labels.flatten(), minlength=IGNORED + 1)[:IGNORED]
        counted = int(counts.sum())
        return int((counts > 0).sum()) > 1 and int(counts.max()) / counted < self._most


class PhotometricDistortion(v2.Transform):
    """Change brightness, contrast, saturation and hue, each with a probability of a half.

    In bytes: brightness adds up to 32, contrast multiplies by .5 to 1.5 before or after the colours,
    saturation (of HSV) is multiplied by .5 to 1.5, and the hue turns by up to 36 degrees.
    """

    _transformed_types = (tv_tensors.Image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the distorted image, uint8."""
        image = inpt.as_subclass(Tensor).float()
        if _coin():
            image = _to_bytes(image + _uniform(-32, 32))
        is_contrast_first = _coin()
        if is_contrast_first and _coin():
            image = _to_bytes(image * _uniform(0.5, 1.5))
        if _coin():
            image = _to_bytes(saturated(image, _uniform(0.5, 1.5)))
        if _coin():
            turned = int(torch.randint(-18, 18, ())) / 180
            image = F.adjust_hue(image.to(torch.uint8), turned).float()
        if not is_contrast_first and _coin():
            image = _to_bytes(image * _uniform(0.5, 1.5))
        return tv_tensors.wrap(image.to(torch.uint8), like=inpt)


def saturated(image: Tensor, factor: float) -> Tensor:
    """Return an image of bytes, as floats, whose saturation in HSV is multiplied, at most to the full one.

    Args:
        image: Shape ``(3, H, W)``.
        factor: The factor.
    """
    value = image.amax(dim=0, keepdim=True)
    chroma = value - image.amin(dim=0, keepdim=True)
    most = torch.where(chroma > 0, value / chroma.clamp(min=1e-6), torch.inf)
    return value - (value - image) * most.clamp(max=factor)


class AlignedResize(v2.Transform):
    """Resize each side up to a multiple of 32, as the second step of the tests' two: nothing is padded."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the aligned size."""
        height, width = v2.query_size(flat_inputs)
        return {"size": list(padded_size((height, width)))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one resized input."""
        return self._call_kernel(F.resize, inpt, params["size"], antialias=False)


class PadToSquare(v2.Transform):
    """Pad an image with zeros and its label map with 255, to the right and below.

    Args:
        size: Side of the square, pixels.
    """

    _transformed_types = (tv_tensors.Mask, Tensor)

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one padded input."""
        beside = (0, self._size - inpt.shape[-1], 0, self._size - inpt.shape[-2])
        value = IGNORED if isinstance(inpt, tv_tensors.Mask) else 0
        return functional.pad(inpt.as_subclass(Tensor), beside, value=value)


def create_train_transform(
    scaling: Scaling,
    *,
    crop: int,
    factors: tuple[float, float] = (0.5, 2.0),
    most: float = 0.75,
    flip: float = 0.5,
    distort: bool = True,
) -> v2.Compose:
    """Return the transform of training images; it draws from the global generator of torch.

    It returns the image, float32 ``(3, crop, crop)``, and its classes, uint8 ``(crop, crop)``.

    Args:
        scaling: Size and normalisation.
        crop: Side of the crop, pixels.
        factors: Range of the random factor of both bounds.
        most: Share of a crop that one class may not reach.
        flip: Probability of a horizontal flip.
        distort: Whether brightness and colours are changed.
    """
    steps = [
        RandomKeepRatioResize(scaling, factors),
        CropOfSeveralClasses(crop, most),
        v2.RandomHorizontalFlip(flip),
        *([PhotometricDistortion()] if distort else []),
        Normalise(scaling.mean, scaling.std),
        PadToSquare(crop),
    ]
    return v2.Compose(steps)


def create_eval_transform(scaling: Scaling) -> v2.Compose:
    """Return the transform of test images: resized in proportion, then each side up to a multiple of 32."""
    return v2.Compose([KeepRatioResize(scaling), AlignedResize(), Normalise(scaling.mean, scaling.std)])


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _coin() -> bool:
    return bool(torch.rand(()) < 0.5)


def _to_bytes(image: Tensor) -> Tensor:
    """Return values clipped to bytes and truncated, as floats."""
    return image.clamp(0, 255).floor()
