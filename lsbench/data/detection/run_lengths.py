"""Run lengths of masks as COCO's format has them: plain lists, or compressed into text.

They go down the columns and begin with the pixels outside. Compressed ones hold six bits a character: five of
a number, lowest first, and whether more follow; from the fourth on, numbers are differences to the last but
one.

Shapes: N objects, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Compressed run lengths: ``size`` (height, width) and ``counts`` (bytes).
Rle = dict[str, Any]


def compressed(outline: dict[str, Any]) -> Rle:
    """Return run lengths in their compressed form, from a list of lengths or from that form itself."""
    from faster_coco_eval.core import mask

    height, width = (int(side) for side in outline["size"])
    counts = outline["counts"]
    if isinstance(counts, list):
        found: Rle = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        return found
    return {"size": [height, width], "counts": counts.encode() if isinstance(counts, str) else counts}


def decode(runs: Sequence[Rle], height: int, width: int) -> NDArray[np.uint8]:
    """Return masks of 0 and 1 from compressed run lengths, shape ``(N, H, W)``."""
    from faster_coco_eval.core import mask

    if not runs:
        return np.zeros((0, height, width), dtype=np.uint8)
    found: NDArray[np.uint8] = mask.decode(list(runs)).transpose(2, 0, 1)
    return np.ascontiguousarray(found)


def encode(masks: NDArray[Any]) -> list[Rle]:
    """Return the compressed run lengths of masks of any kind of number, shape ``(N, H, W)``."""
    from faster_coco_eval.core import mask

    if not len(masks):
        return []
    found: list[Rle] = mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    return found


def to_run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a mask, uncompressed: down the columns, those outside first.

    >>> to_run_lengths(np.array([[False, True], [True, True]]))
    [1, 3]
    """
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff([0, *changes, flat.size]).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def count_pixels(counts: list[Any] | str | bytes) -> int | None:
    """Return the sum of run lengths, plain or compressed, or None if they are damaged.

    >>> count_pixels([1, 3]), count_pixels(b"13"), count_pixels("~")
    (4, 4, None)
    """
    if isinstance(counts, list):
        is_good = all(type(one) is int and one >= 0 for one in counts)
        return sum(counts) if is_good else None
    try:
        codes = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, np.uint8).astype(
            np.int64
        )
    except UnicodeEncodeError:
        return None
    codes = codes - 48
    is_last = (codes & 32) == 0
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or not is_last[-1]:
        return None
    ends = np.flatnonzero(is_last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if places.max() > 11:
        return None
    numbers = np.add.reduceat((codes & 31) << (5 * places), starts)
    numbers = np.where(codes[ends] & 16, numbers - (np.int64(1) << (5 * (places[ends] + 1))), numbers)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return int(numbers.sum()) if (numbers >= 0).all() else None
