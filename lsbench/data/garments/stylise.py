"""Garment photos drawn anew: five styles of rendition, and sketches of their edges.

All pictures are twice as large as the photos. Their background is black, like that of the photos.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from lsbench.data.garments.clutter import draw_clutter, pick_colour

SCALE = 2
#: Least grey value of a garment pixel; the seams of dark garments are darker than their outline.
_GARMENT = 20
#: Holes up to about twice this width are filled, pixels.
_HOLE = 3
_BAYER_4 = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.float64)

Photo = NDArray[np.uint8]
Picture = NDArray[np.uint8]
Style = Callable[[Image.Image, np.random.Generator], Image.Image]


def draw_rendition(photo: Photo, style: str, rng: np.random.Generator) -> Picture:
    """Return a photo rendered in one of :data:`STYLES`, RGB, uint8, shape ``(2 H, 2 W, 3)``.

    Args:
        photo: Grey photo, uint8, shape ``(H, W)``.
        style: Name of the style.
        rng: Chooses colours and textures.
    """
    return np.asarray(STYLES[style](_enlarged(photo), rng))


def draw_sketch(photo: Photo) -> Picture:
    """Return a photo as bright strokes on black over a faint fill, grey, uint8, shape ``(2 H, 2 W)``.

    Strokes are drawn where the grey value changes fast (gradient magnitude: outlines), or differs from its
    surroundings (difference of Gaussians: folds, straps and seams). Without the fill, a model trained on
    photos sees little but noise.

    Args:
        photo: Grey photo, uint8, shape ``(H, W)``.
    """
    grey = np.asarray(_enlarged(photo), dtype=np.float64) / 255.0
    outline = ndimage.gaussian_gradient_magnitude(grey, 0.7, mode="constant")
    fine, coarse = (ndimage.gaussian_filter(grey, sigma, mode="constant") for sigma in (0.8, 2.4))
    strokes = np.clip(3.2 * outline + 3.0 * np.abs(fine - coarse) - 0.2, 0.0, 1.0)
    drawn = np.clip(strokes + 0.35 * grey, 0.0, 1.0)
    sketch: Picture = np.rint(drawn * 255.0).astype(np.uint8)
    return sketch


def _posterised(grey: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A few flat tones from black through one colour to a bright one."""
    few = ImageOps.posterize(ImageOps.autocontrast(grey), 2)
    colour = _bright_colour(rng)
    pale = tuple(int(value) for value in (np.asarray(colour) + 2 * 255) // 3)
    return ImageOps.colorize(few, (0, 0, 0), pale, mid=colour)


def _silhouette(grey: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The outline filled with a texture."""
    texture = np.clip(draw_clutter(rng, grey.width) + 40.0, 0.0, 255.0)
    shape = _garment_mask(grey)[..., None]
    return Image.fromarray(np.rint(texture * shape).astype(np.uint8))


def _halftone(grey: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dots of one colour, denser where brighter, as in print."""
    values = np.asarray(grey, dtype=np.float64)
    tiles = [-(-side // 4) for side in values.shape]
    threshold = (np.tile(_BAYER_4, tiles)[: values.shape[0], : values.shape[1]] + 0.5) * 16.0
    dots = (values > threshold)[..., None]
    return Image.fromarray((dots * np.asarray(_bright_colour(rng))).astype(np.uint8))


def _painted(grey: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brush strokes: the most frequent of a few tones around each pixel, each tone in its own hue."""
    tones = ImageOps.posterize(ImageOps.autocontrast(grey), 3).filter(ImageFilter.ModeFilter(5))
    hues = np.linspace(0.0, 1.0, 8)[:, None]
    first, last = np.asarray(_bright_colour(rng)), np.asarray(_bright_colour(rng))
    palette = (first * (1.0 - hues) + last * hues) * np.linspace(0.0, 1.0, 8)[:, None]
    strokes = rng.normal(0.0, 1.0, size=(grey.height, grey.width))
    strokes = ndimage.gaussian_filter(strokes, sigma=(0.6, 2.5))
    picture = palette[np.asarray(tones) // 32] * (1.0 + 0.8 * strokes[..., None])
    return Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))


def _cartoon(grey: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Two flat tones inside a thick bright outline."""
    shape = _garment_mask(grey) > 0.5
    smooth = ndimage.median_filter(np.asarray(grey), size=5)
    is_light = smooth > np.median(smooth[shape]) if shape.any() else shape
    colour = np.asarray(_bright_colour(rng))
    flat = np.where(is_light[..., None], colour, 0.6 * colour) * shape[..., None]
    outline = ndimage.binary_dilation(shape, iterations=1) & ~ndimage.binary_erosion(shape, iterations=1)
    flat[outline] = 255.0
    return Image.fromarray(np.rint(flat).astype(np.uint8))


STYLES: dict[str, Style] = {
    "posterised": _posterised,
    "silhouette": _silhouette,
    "halftone": _halftone,
    "painted": _painted,
    "cartoon": _cartoon,
}


def _enlarged(photo: Photo) -> Image.Image:
    height, width = photo.shape
    return Image.fromarray(photo).resize((SCALE * width, SCALE * height), Image.Resampling.BICUBIC)


def _garment_mask(grey: Image.Image) -> NDArray[np.float64]:
    """Return 1 inside the garment and 0 outside, with a soft edge; small holes of dark cloth are filled."""
    is_bright = np.pad(np.asarray(grey) > _GARMENT, _HOLE)
    inside = (slice(_HOLE, -_HOLE), slice(_HOLE, -_HOLE))
    is_garment = ndimage.binary_closing(is_bright, iterations=_HOLE)[inside]
    softened: NDArray[np.float64] = ndimage.gaussian_filter(is_garment.astype(np.float64), 0.7)
    return np.clip(softened, 0.0, 1.0)


def _bright_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """Return a random colour whose brightest channel is near white."""
    colour = pick_colour(rng, 60, 255)
    red, green, blue = (int(value) for value in colour * (245.0 / colour.max()))
    return red, green, blue
