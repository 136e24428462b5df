"""The names of COCO's twelve numbers, known without NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Region = Literal["box", "mask"]

#: Name of each of the twelve numbers -> whether it is a precision, place of its threshold or None for the
#: mean over all, range of area, and place of the largest number of detections among 1, 10 and 100.
NUMBERS: Mapping[str, tuple[bool, int | None, str, int]] = {
    "ap": (True, None, "all", 2),
    "ap50": (True, 0, "all", 2),
    "ap75": (True, 5, "all", 2),
    "ap_small": (True, None, "small", 2),
    "ap_medium": (True, None, "medium", 2),
    "ap_large": (True, None, "large", 2),
    "ar1": (False, None, "all", 0),
    "ar10": (False, None, "all", 1),
    "ar100": (False, None, "all", 2),
    "ar_small": (False, None, "small", 2),
    "ar_medium": (False, None, "medium", 2),
    "ar_large": (False, None, "large", 2),
}
