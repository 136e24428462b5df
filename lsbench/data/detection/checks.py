"""Check a data set in COCO's format: images that are there, their sizes, and what the objects are like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lsbench.core.counted import counted
from lsbench.core.errors import DataError
from lsbench.data.detection.annotations import Annotations, other_size, read_annotations
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.findings import SAMPLED, Report, SeenImages, evenly
from lsbench.data.loading.image_files import ImageFiles, spread

TOLERANCE = 0.5
"""A box may reach this far beyond its image, in pixels, without being counted as outside."""


def check_detection(data: DetectionFiles, places: Mapping[str, Path], name: str, is_complete: bool) -> Report:
    """Return the findings on splits of a data set with boxes.

    Args:
        data: The data set.
        places: Split name to its JSON file.
        name: The data set's name.
        is_complete: Decode every image instead of a sample.

    Raises:
        DataError: If a JSON file is not as expected.
    """
    sample, used = SeenImages(), set[int]()
    notes: list[str] = []
    problems: list[str] = []
    counts: dict[str, int] = {}
    without_masks: str | None = None
    for split, file in places.items():
        found = read_annotations(file, data.category_ids)
        files = ImageFiles(data.images[split], found.names)
        problems += (*_no_objects(found), *_missing_images(found, files))
        if split == "train" and not problems:
            problems += filter(None, [found.without_training_images()])
        without_masks = without_masks or found.without_masks()
        notes += [f"{split}: {note}" for note in (*_object_notes(found), *_class_notes(found, data))]
        if not problems:
            kept = spread(len(found), data.limit)
            share = len(kept) if is_complete else max(1, SAMPLED // len(places))
            rows = [kept[place] for place in evenly(len(kept), share)]
            sample.add(files, rows)
            problems += _other_sizes(found, files, rows)
        counts[split] = len(spread(len(found), data.limit))
        used |= set(found.labels.tolist())
    return Report(
        name=name,
        root=str(data.root),
        classes=len(used),
        known_classes=data.num_classes,
        images=counts,
        looked_at=sample.looked_at,
        sizes=sample.sizes(),
        modes=dict(sorted(sample.modes.items())),
        sha256=sample.digest.hexdigest(),
        notes=(*_id_notes(data), *notes, *sample.notes()),
        problems=(*problems, *sample.problems()),
        without_masks=without_masks,
    )


def _no_objects(found: Annotations) -> Iterator[str]:
    if not len(found.ids):
        yield (
            f"expected objects in {found.file}, found only empty images; add annotations or leave the split "
            "out"
        )


def _missing_images(found: Annotations, files: ImageFiles) -> Iterator[str]:
    missing = [row for row, name in enumerate(found.names) if not (files.folder / name).is_file()]
    if missing:
        row, others = missing[0], len(missing) - 1
        more = f" (and {others} more of {len(found)})" if others else ""
        yield (
            f"expected {files.folder / found.names[row]}, image {found.image_ids[row]} of {found.file}, "
            f"found no file{more}; add the images or correct 'file_name'"
        )


def _other_sizes(found: Annotations, files: ImageFiles, rows: list[int]) -> Iterator[str]:
    """Yield a line for the first image of another size than the JSON file says."""
    for row in rows:
        try:
            width, height = files.decode(row).size
        except DataError:
            continue  # told as unreadable
        if (height, width) != tuple(found.sizes[row]):
            yield other_size(
                files.folder / found.names[row], (height, width), found.sizes[row].tolist(), found.file
            )
            return


def _object_notes(found: Annotations) -> Iterator[str]:
    """Yield lines on objects, crowds, empty images, boxes outside and images left out of training."""
    counts = np.diff(found.first)
    crowds = int(found.is_crowd.sum())
    where = counted(int((counts > 0).sum()), "image")
    yield (
        f"{counted(len(found.ids), 'object')} in {where}, {crowds} of them crowds "
        "(neither trained on nor counted as misses)"
    )
    if empty := int((counts == 0).sum()):
        yield f"{counted(empty, 'image is', 'images are')} empty: not trained on, but tested on"
    beyond = np.concatenate(
        [
            -found.boxes_xywh[:, :2],
            found.boxes_xywh[:, :2] + found.boxes_xywh[:, 2:] - found.sizes[found.image_of][:, ::-1],
        ],
        axis=1,
    ).max(axis=1, initial=0)
    if outside := int((beyond > TOLERANCE).sum()):
        first = int(np.argmax(beyond > TOLERANCE))
        yield (
            f"{counted(outside, 'box reaches', 'boxes reach')} outside of the image (first: annotation "
            f"{found.ids[first]}): clipped there"
        )
    dropped = ~found.is_trained_on() & ~found.is_crowd
    if dropped.any():
        yield (
            f"{counted(int(dropped.sum()), 'box is', 'boxes are')} not trained on: below 1 pixel, without "
            f"area or outside of the image (first: annotation {found.ids[int(np.argmax(dropped))]})"
        )
    yield f"{len(found.training_images())} of {len(found)} images can be trained on"
    if found.outlines is None:
        yield "objects have boxes but no masks: detectors with masks cannot be trained or tested on it"


def _class_notes(found: Annotations, data: DetectionFiles) -> Iterator[str]:
    counts = np.bincount(found.labels, minlength=data.num_classes)
    if absent := [data.categories[row] for row in np.flatnonzero(counts == 0)]:
        yield (
            f"no object of {len(absent)} of {data.num_classes} categories ({', '.join(absent[:3])}"
            f"{', ...' if len(absent) > 3 else ''}): they do not count in averages"
        )


def _id_notes(data: DetectionFiles) -> Iterator[str]:
    first, last = data.category_ids[0], data.category_ids[-1]
    gaps = last - first + 1 - len(data.category_ids)
    yield (
        f"{data.num_classes} categories with ids from {first} to {last}"
        f"{f' and {gaps} gaps' if gaps else ''}; class 0 is {data.categories[0]}"
    )
