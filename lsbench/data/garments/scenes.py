"""Compose colour scenes from grey garment photos: one or several tinted garments on clutter.

A scene comes with exact boxes and masks, so the same generator serves classification (one main garment),
detection and segmentation (several). All random numbers come from one generator and all arithmetic is
elementwise, so the same seed gives the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsbench.data.garments.clutter import draw_clutter, pick_colour

MASK_THRESHOLD = 24
"""A garment pixel brighter than this belongs to the garment; the source's background is 0."""

Image8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Garment:
    """A grey photo of one garment on black, uint8, shape ``(28, 28)``, and its class number."""

    image: Image8
    label: int


@dataclass(frozen=True)
class Scene:
    """A composed picture and its objects in drawing order (the last is in front).

    Attributes:
        image: RGB, uint8, shape ``(H, W, 3)``.
        boxes: Tight boxes around the visible pixels, x1 y1 x2 y2 in pixels, the far edges
            exclusive, float32, shape ``(N, 4)``.
        masks: Visible pixels of each object, bool, shape ``(N, H, W)``; masks never overlap.
        labels: Class numbers, int64, shape ``(N,)``.
    """

    image: Image8
    boxes: NDArray[np.float32]
    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class _Placed:
    top: int
    left: int
    grey: Image8

    @property
    def mask(self) -> Mask:
        mask: Mask = self.grey > MASK_THRESHOLD
        return mask


def compose_scene(
    rng: np.random.Generator,
    garments: Sequence[Garment],
    *,
    img_size: int,
    fragments: Sequence[Image8] = (),
    scale: tuple[float, float] = (0.55, 0.8),
    min_visible: float = 0.5,
) -> Scene:
    """Return a scene of tinted garments over fragments of other garments on textured clutter.

    Args:
        rng: The only source of randomness.
        garments: The objects, drawn in this order.
        img_size: Side of the square picture, pixels.
        fragments: Grey photos; only a small piece of each is drawn, behind the objects and unlabelled.
        scale: Range of a garment's side as a fraction of `img_size`.
        min_visible: An object is placed only where it and the objects behind it keep at least this fraction
            of their pixels visible; after ten failed tries it is left out.

    Source:
        Pasting cut-out objects on unrelated backgrounds: Dwibedi et al., ICCV 2017, arXiv:1708.01642.
    """
    canvas = draw_clutter(rng, img_size)
    for photo in fragments:
        _draw_fragment(rng, canvas, photo, round(img_size * rng.uniform(*scale)))
    masks: list[Mask] = []
    full_areas: list[int] = []
    labels: list[int] = []
    for garment in garments:
        grey = _resize(garment.image, round(img_size * rng.uniform(*scale)))
        placed = _place(rng, grey, masks, full_areas, img_size, min_visible)
        if placed is None:
            continue
        mask = _on_canvas(placed, img_size)
        masks = [behind & ~mask for behind in masks] + [mask]
        full_areas.append(int(mask.sum()))
        labels.append(garment.label)
        _paint(rng, canvas, placed)
    return Scene(
        image=np.clip(canvas + 0.5, 0, 255).astype(np.uint8),
        boxes=_boxes(masks),
        masks=np.stack(masks) if masks else np.zeros((0, img_size, img_size), dtype=np.bool_),
        labels=np.array(labels, dtype=np.int64),
    )


def _place(
    rng: np.random.Generator,
    grey: Image8,
    masks: Sequence[Mask],
    full_areas: Sequence[int],
    img_size: int,
    min_visible: float,
) -> _Placed | None:
    free = img_size - grey.shape[0]
    for _ in range(10):
        placed = _Placed(int(rng.integers(free + 1)), int(rng.integers(free + 1)), grey)
        mask = _on_canvas(placed, img_size)
        left_over = [int((behind & ~mask).sum()) for behind in masks]
        if all(rest >= min_visible * area for rest, area in zip(left_over, full_areas, strict=True)) and bool(
            mask.any()
        ):
            return placed
    return None


def _draw_fragment(rng: np.random.Generator, canvas: NDArray[np.float64], photo: Image8, side: int) -> None:
    """Paint a random third to half of a garment, in its own tint, anywhere on the canvas."""
    grey = _resize(photo, side)
    piece = max(2, round(side * rng.uniform(0.33, 0.5)))
    top, left = (int(v) for v in rng.integers(0, side - piece + 1, size=2))
    cut = grey[top : top + piece, left : left + piece]
    top, left = (int(v) for v in rng.integers(0, canvas.shape[0] - piece + 1, size=2))
    _paint(rng, canvas, _Placed(top, left, cut))


def _paint(rng: np.random.Generator, canvas: NDArray[np.float64], placed: _Placed) -> None:
    """Blend a tinted garment into the canvas; its outline is soft, its shading kept."""
    height, width = placed.grey.shape
    grey = placed.grey.astype(np.float64)
    shade = rng.uniform(0.25, 0.45) + grey / 255.0 * rng.uniform(0.55, 0.75)
    alpha = np.clip((grey - MASK_THRESHOLD / 2) / MASK_THRESHOLD, 0.0, 1.0)[..., None]
    region = canvas[placed.top : placed.top + height, placed.left : placed.left + width]
    region += alpha * (shade[..., None] * pick_colour(rng, 90, 255) - region)


def _resize(photo: Image8, side: int) -> Image8:
    return np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC))


def _on_canvas(placed: _Placed, img_size: int) -> Mask:
    mask = np.zeros((img_size, img_size), dtype=np.bool_)
    height, width = placed.grey.shape
    mask[placed.top : placed.top + height, placed.left : placed.left + width] = placed.mask
    return mask


def _boxes(masks: Sequence[Mask]) -> NDArray[np.float32]:
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for row, mask in enumerate(masks):
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes[row] = cols[0], rows[0], cols[-1] + 1, rows[-1] + 1
    return boxes
