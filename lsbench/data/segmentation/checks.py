"""Check a data set with label maps: pairs of files, their sizes, and the labels that occur."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lsbench.core.errors import DataError
from lsbench.data.findings import SAMPLED, Report, SeenImages, evenly
from lsbench.data.segmentation.folders import IGNORED, LabelMapFolders
from lsbench.data.segmentation.samples import SegmentationSplit, check_sizes, open_split


def check_segmentation(
    data: LabelMapFolders, places: Mapping[str, Path], name: str, is_complete: bool
) -> Report:
    """Return the findings on splits of a data set with label maps.

    Args:
        data: The data set.
        places: Split name to its folder of images.
        name: The data set's name.
        is_complete: Decode every image instead of a sample.

    Raises:
        DataError: If an image has no label map, or a split no image.
    """
    sample, notes, problems = SeenImages(), [], []
    splits = {split: open_split(data, split) for split in places}
    pixels = np.zeros(IGNORED + 1, dtype=np.int64)
    for split, found in splits.items():
        rows = evenly(len(found), len(found) if is_complete else max(1, SAMPLED // len(places)))
        sample.add(found.images, rows)
        counts, problem = _count_labels(found, rows)
        pixels += counts
        if problem:
            problems.append(problem)
        notes.append(_label_note(split, counts, len(rows), data))
    return Report(
        name=name,
        root=str(data.root),
        classes=int((pixels[: data.num_classes] > 0).sum()),
        known_classes=data.num_classes,
        images={split: len(found) for split, found in splits.items()},
        looked_at=sample.looked_at,
        sizes=sample.sizes(),
        modes=dict(sorted(sample.modes.items())),
        sha256=sample.digest.hexdigest(),
        notes=(*([_ZERO] if data.reduce_zero_label else []), *notes, *sample.notes()),
        problems=(*problems, *sample.problems()),
    )


_ZERO = "labels count from 1 in the files: 0 stands for pixels that do not count, 1 is class 0"


def _count_labels(
    found: SegmentationSplit, rows: list[int]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], str]:
    """Return the pixel count of each label in some label maps, and the first problem or an empty text."""
    counts = np.zeros(IGNORED + 1, dtype=np.int64)
    for row in rows:
        try:
            label_map = found.label_map(row)
            check_sizes(
                found.size(row),
                label_map.shape,
                found.images.folder / found.images.paths[row],
                found.label_maps.folder / found.label_maps.paths[row],
            )
        except DataError as error:
            return counts, str(error)
        counts += np.bincount(label_map.ravel(), minlength=IGNORED + 1)
    return counts, ""


def _label_note(
    split: str, counts: np.ndarray[tuple[int], np.dtype[np.int64]], looked_at: int, data: LabelMapFolders
) -> str:
    """Return a line on the labels in the checked label maps of a split."""
    total = max(int(counts.sum()), 1)
    present = int((counts[: data.num_classes] > 0).sum())
    return (
        f"{split}: {present} of {data.num_classes} classes in {looked_at} checked label maps; "
        f"{counts[IGNORED] / total:.1%} of the pixels do not count"
    )
