"""ReaL, the reassessed labels of ImageNet's validation images: several correct classes, or none.

The labels are timm's copy of those that the authors publish.

Source:
    Beyer et al., Are we done with ImageNet?, 2020, arXiv:2006.07159.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache

from lsbench.core.errors import DataError
from lsbench.data.imagenet.ilsvrc import timm_file

FILE = "imagenet_real_labels.json"
NUM_LABELLED = 46_837
NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})")


def real_answers(path: str) -> tuple[int, ...]:
    """Return the correct classes of a validation image; none if the authors set the image aside.

    >>> real_answers("n01751748/ILSVRC2012_val_00000001.JPEG")
    ()
    >>> real_answers("n09193705/ILSVRC2012_val_00000002.JPEG")
    (970, 795)

    Args:
        path: The image's path; its file name holds its official number.

    Raises:
        DataError: If the file name holds no such number.
    """
    found = NUMBERED.search(path)
    labels = _labels()
    if found is None or not 0 < int(found[1]) <= len(labels):
        raise DataError(
            f"expected file names ILSVRC2012_val_00000001 to ..._{len(labels):08d}, found '{path}'; "
            "the labels belong to these numbers: keep the official file names"
        )
    return labels[int(found[1]) - 1]


@cache
def real_labels_sha256() -> str:
    """Return the hash of the label file."""
    return hashlib.sha256(timm_file(FILE).read_bytes()).hexdigest()


@cache
def _labels() -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(classes) for classes in json.loads(timm_file(FILE).read_text(encoding="utf-8")))
