"""Brightness and saturation, changed in scikit-image's HSV, in one pass over the pixels.

Each number goes through the same floating point operations in the same order as in
``skimage.color.rgb2hsv`` and ``hsv2rgb``: results are truncated to bytes, and an error in the last bit would
change flat areas by one.
"""

# Numba infers the types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

import math

import numpy as np

from lsbench.corruptions.random_stream import compiled, helper


@compiled
def adjust(image, units, factor, more_saturation, more_value, out):
    """Change S of each pixel to ``S * factor + more_saturation`` and V to ``V + more_value``.

    Both are clipped to 0 and 1. A factor of 1 and an offset of 0 leave a number unchanged, to the bit.

    Args:
        image: Pixels, uint8, ``(H, W, 3)``.
        units: ``byte / 255`` of each byte, float64, ``(256,)``.
        factor: Factor of S.
        more_saturation: Added to S after that.
        more_value: Added to V.
        out: Receives the result, as `image`.
    """
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            pixel = image[row, column]
            hue, saturation, value = _to_hsv(units[pixel[0]], units[pixel[1]], units[pixel[2]])
            saturation = _unit(saturation * factor + more_saturation)
            _write_rgb(hue, saturation, _unit(value + more_value), out[row, column])


@helper
def _unit(number):
    return min(max(number, 0.0), 1.0)


@helper
def _to_hsv(red, green, blue):
    """Return hue, saturation and value; if two channels are the largest, the later one decides the hue."""
    value = max(red, green, blue)
    spread = value - min(red, green, blue)
    if spread == 0.0:
        return 0.0, 0.0, value
    if blue == value:
        sixths = 4.0 + (red - green) / spread
    elif green == value:
        sixths = 2.0 + (blue - red) / spread
    else:
        sixths = (green - blue) / spread
    hue = sixths / 6.0
    if hue < 0.0:
        hue += 1.0
    return hue, spread / value, value


@helper
def _write_rgb(hue, saturation, value, out):
    sixth = math.floor(hue * 6.0)
    within = hue * 6.0 - sixth
    low = value * (1.0 - saturation)
    falling = value * (1.0 - within * saturation)
    rising = value * (1.0 - (1.0 - within) * saturation)
    sector = int(sixth) % 6
    if sector == 0:
        red, green, blue = value, rising, low
    elif sector == 1:
        red, green, blue = falling, value, low
    elif sector == 2:
        red, green, blue = low, value, rising
    elif sector == 3:
        red, green, blue = low, falling, value
    elif sector == 4:
        red, green, blue = rising, low, value
    else:
        red, green, blue = value, low, falling
    out[0] = np.uint8(_unit(red) * 255.0)
    out[1] = np.uint8(_unit(green) * 255.0)
    out[2] = np.uint8(_unit(blue) * 255.0)
