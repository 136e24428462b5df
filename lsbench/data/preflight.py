"""Check a data set before anything is computed on it: classes, files, sizes, and readability.

The findings on a sample of images, evenly spaced over every split, are cached until names or sizes of files
change; a data set with a problem is checked again each time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.core.plain_text import shown
from lsbench.data.dataset import IMAGE_EXTENSIONS, DatasetPlugin, ImageFolders, PreparedData, image_folders
from lsbench.data.detection.files import DetectionFiles, fingerprint_files
from lsbench.data.findings import SAMPLED, Report, SeenImages, evenly
from lsbench.data.loading.image_list import ImageList, list_images
from lsbench.data.memo import remember
from lsbench.data.readers import SPLIT_WORDS, ReaderKind, load_reader
from lsbench.data.segmentation.folders import LabelMapFolders, fingerprint_pairs

PREFLIGHT_VERSION = 3
SHOWN = 5
"""Kinds of files that a note lists."""


def check_data(
    plugin: DatasetPlugin,
    spec: Any,
    data_root: Path | None,
    *,
    splits: Sequence[str] | None = None,
    is_complete: bool = False,
) -> Report:
    """Return the findings on a data set on this machine; fast while nothing changes.

    Args:
        plugin: The data set's plug-in.
        spec: Its settings.
        data_root: Folder under which large data sets live.
        splits: Only these; default: all.
        is_complete: Decode and hash every image instead of a sample.
    """
    name = str(spec.name)
    try:
        prepared = plugin.prepare(spec, data_root)
    except DataError as error:
        return Report(name=name, problems=(str(error),))
    return check_prepared(prepared, name, splits=splits, is_complete=is_complete)


def check_prepared(
    prepared: PreparedData, name: str, *, splits: Sequence[str] | None = None, is_complete: bool = False
) -> Report:
    """Return the findings on data that a plug-in has prepared; arguments as in :func:`check_data`."""
    try:
        places = {split: prepared.split(split) for split in splits or _distinct(prepared)}
        return _check(prepared, places, name, is_complete)
    except DataError as error:
        return Report(name=name, problems=(str(error),))


def _distinct(prepared: PreparedData) -> list[str]:
    """Return the splits, leaving out those that share another's place."""
    places = list(prepared.splits.items())
    return [name for row, (name, place) in enumerate(places) if place not in dict(places[:row]).values()]


def _check(prepared: PreparedData, places: dict[str, Path], name: str, is_complete: bool) -> Report:
    key = [name, is_complete, prepared.limit]
    if isinstance(prepared, DetectionFiles):
        from lsbench.data.detection.checks import check_detection  # imports torch

        fingerprint = fingerprint_files(places, {split: prepared.images[split] for split in places})
        return _remembered(
            places, key, fingerprint, lambda: check_detection(prepared, places, name, is_complete)
        )
    if isinstance(prepared, LabelMapFolders):
        from lsbench.data.segmentation.checks import check_segmentation  # imports torch

        fingerprint = fingerprint_pairs(places, {split: prepared.label_maps[split] for split in places})
        return _remembered(
            places, key, fingerprint, lambda: check_segmentation(prepared, places, name, is_complete)
        )
    return _check_folders(image_folders(prepared, name), places, name, is_complete)


def _remembered(
    places: Mapping[str, Path], key: Sequence[Any], fingerprint: str, find: Callable[[], Report]
) -> Report:
    """Return the findings on data of a fingerprint, from the cache if they are known and good."""
    where = content_hash([*key, {split: str(place.resolve()) for split, place in places.items()}])
    answer = remember(
        f"preflight/{where}",
        [PREFLIGHT_VERSION, SAMPLED, fingerprint],
        0,
        lambda: find().model_dump(mode="json"),
        is_final=lambda found: not found["problems"],
    )
    return Report.model_validate(answer)


def _check_folders(folders: ImageFolders, places: dict[str, Path], name: str, is_complete: bool) -> Report:
    reader = load_reader(folders.reader)
    report = _remembered(
        places,
        [name, is_complete],
        reader.fingerprint(places, folders.numbered),
        lambda: _find(folders, places, name, is_complete),
    )
    beside = (*_other_places(folders, reader), *_left_out_notes(reader, places))
    return report.model_copy(update={"notes": (*report.notes, *beside)})


def _find(folders: ImageFolders, places: dict[str, Path], name: str, is_complete: bool) -> Report:
    lists = {split: list_images(folders, split) for split in places}
    sample = SeenImages()
    for images in lists.values():
        count = len(images) if is_complete else max(1, SAMPLED // len(lists))
        sample.add(images, evenly(len(images), count))
    classes = {target for images in lists.values() for target in images.targets}
    return Report(
        name=name,
        root=str(folders.root),
        classes=len(classes),
        known_classes=folders.num_classes,
        images={split: len(images) for split, images in lists.items()},
        looked_at=sample.looked_at,
        sizes=sample.sizes(),
        modes=dict(sorted(sample.modes.items())),
        sha256=sample.digest.hexdigest(),
        notes=(*_class_notes(folders, lists), *sample.notes()),
        problems=(*_strangers(folders, places), *sample.problems()),
    )


def _class_notes(folders: ImageFolders, lists: dict[str, ImageList]) -> Iterator[str]:
    wnids = folders.wnids
    if all(re.fullmatch(r"n\d{8}", wnid) for wnid in wnids):
        yield f"classes are WordNet ids, numbered in sorted order: {wnids[0]} is 0"
    elif all(wnid.isdecimal() for wnid in wnids):
        moved = [row for row, wnid in enumerate(wnids) if int(wnid) != row]
        rows = sorted({*range(min(len(wnids), 3)), *moved[:1]})
        yield (
            "classes are named by numbers and numbered in the order of texts: "
            f"{', '.join(f'{wnids[row]} is {row}' for row in rows)}"
        )
    if len(wnids) == 1:
        yield f"there is only one class, {wnids[0]}: any model is always right; check how classes are stored"
    if folders.subset is not None:
        yield f"images of {len(folders.subset)} of {len(wnids)} classes, as masked evaluation expects"
    expected = set(range(len(wnids)) if folders.subset is None else folders.subset)
    for split, images in lists.items():
        if missing := sorted(expected - set(images.targets)):
            yield f"{split}: no image of {_named([wnids[row] for row in missing])}"


def _other_places(folders: ImageFolders, reader: ReaderKind) -> Iterator[str]:
    """Yield a line for each place that has another name of a split which lies elsewhere."""
    for split, words in SPLIT_WORDS.items():
        place = folders.splits.get(split)
        for other in reader.find_splits(folders.root, words).values() if place else ():
            if other not in folders.splits.values():
                yield f"{other} is not read: {place} is the {split} split"


def _left_out_notes(reader: ReaderKind, places: dict[str, Path]) -> Iterator[str]:
    """Yield a line on what each split holds beside its images."""
    for split, place in places.items():
        found = reader.left_out(place)
        if found.skipped:
            yield (
                f"{split}: {_files(found.skipped)} not read: {_counted(found.skipped)}; images end in "
                f"{', '.join(IMAGE_EXTENSIONS)}"
            )
        if found.litter:
            yield f"{split}: {_files(found.litter)} of other programs ignored: {_counted(found.litter)}"


def _files(counts: Counter[str]) -> str:
    return "1 file" if counts.total() == 1 else f"{counts.total()} files"


def _counted(counts: Counter[str]) -> str:
    """Return the most frequent names, with their counts.

    >>> _counted(Counter({".gif": 2, ".txt": 1}))
    '2 .gif, 1 .txt'
    """
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
    named = [f"{count} {shown(name)}" for name, count in most]
    return ", ".join(named) + (", ..." if len(counts) > SHOWN else "")


def _strangers(folders: ImageFolders, places: dict[str, Path]) -> Iterator[str]:
    """Yield a line for each split with class folders that are not part of the data set."""
    reader, numbers = load_reader(folders.reader), {str(n) for n in range(len(folders.numbered or ()))}
    rows = range(folders.num_classes) if folders.subset is None else folders.subset
    known = {folders.wnids[row] for row in rows}
    for place in places.values():
        found = reader.class_names(place, folders.numbered)
        if strange := [name for name in found if name not in known | numbers]:
            yield (
                f"expected only the {len(known)} classes of the data set in {place}, found also "
                f"{_named(strange)}; remove or rename them"
            )


def _named(names: Sequence[str]) -> str:
    """Return the number of names and the first three.

    >>> _named(["a"]), _named(["a", "b", "c", "d"])
    ('a', '4 (a, b, c, ...)')
    """
    if len(names) == 1:
        return names[0]
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
