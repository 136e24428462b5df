"""Check a data set before anything is computed on it: classes, files, sizes, and readability.

The findings on a sample of images, evenly spaced over every split, are cached until names or sizes of files
change; a data set with a problem is checked again each time.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from PIL import ExifTags, Image
from pydantic import Field

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.core.plain_text import shown
from lsbench.core.spec import StrictModel
from lsbench.data.dataset import IMAGE_EXTENSIONS, DatasetPlugin, ImageFolders
from lsbench.data.loading.image_list import (
    UNREADABLE,
    ImageList,
    UnreadableImageError,
    list_images,
    to_rgb,
)
from lsbench.data.memo import remember
from lsbench.data.readers import SPLIT_WORDS, ReaderKind, load_reader

PREFLIGHT_VERSION = 2
SAMPLED = 256
"""Number of images that are decoded and hashed in a sample, over all splits."""
SHOWN = 5
"""Kinds of files that a note lists."""
UPRIGHT = 1
"""EXIF's orientation of an image that is stored as it is shown."""
SMALLEST_SIDE = 32
"""Sides below this are reported, pixels: images must be at least this large to be corrupted."""

#: How images that are not RGB are converted.
CONVERSIONS = {
    "1": "are black and white: repeated in three channels",
    "L": "are grey: repeated in three channels",
    "LA": "are grey with alpha: repeated in three channels, the alpha is dropped",
    "P": "have a palette: looked up, transparency is dropped",
    "RGBA": "have an alpha channel: it is dropped, not composited",
    "CMYK": "are CMYK: converted to RGB without a colour profile",
}


class Sizes(StrictModel):
    """Sizes of the checked images as width and height in pixels; the median is per side."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


class Report(StrictModel):
    """The findings on a data set.

    Attributes:
        name: The plug-in's name.
        root: Folder of the data; None if it was not found.
        classes: Number of classes that have images.
        known_classes: Number of classes of models for this data set.
        images: Split to image count.
        looked_at: Number of images decoded.
        sizes: Their sizes.
        modes: Pillow's mode to the number of decoded images that have it.
        sha256: Over path and content of the decoded images: equal on two machines with the same images.
        notes: One line for each fact worth knowing.
        problems: One line for each problem, with what to do.
    """

    name: str
    root: str | None = None
    classes: int = 0
    known_classes: int = 0
    images: dict[str, int] = Field(default_factory=dict)
    looked_at: int = 0
    sizes: Sizes | None = None
    modes: dict[str, int] = Field(default_factory=dict)
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """True if the data set can be used."""
        return not self.problems

    def require(self) -> None:
        """Do nothing for a good data set.

        Raises:
            DataError: With the first problem.
        """
        if self.problems:
            raise DataError(self.problems[0])


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
        folders = plugin.prepare(spec, data_root)
    except DataError as error:
        return Report(name=name, problems=(str(error),))
    return check_folders(folders, name, splits=splits, is_complete=is_complete)


def check_folders(
    folders: ImageFolders, name: str, *, splits: Sequence[str] | None = None, is_complete: bool = False
) -> Report:
    """Return the findings on folders that a plug-in has prepared; arguments as in :func:`check_data`."""
    try:
        places = {split: folders.split(split) for split in splits or _distinct(folders)}
        return _check(folders, places, name, is_complete)
    except DataError as error:
        return Report(name=name, problems=(str(error),))


def _distinct(folders: ImageFolders) -> list[str]:
    """Return the splits, leaving out those that share another's place."""
    places = list(folders.splits.items())
    return [name for row, (name, place) in enumerate(places) if place not in dict(places[:row]).values()]


def _check(folders: ImageFolders, places: dict[str, Path], name: str, is_complete: bool) -> Report:
    reader = load_reader(folders.reader)
    fingerprint = reader.fingerprint(places, folders.numbered)
    where = content_hash(
        [name, {split: str(place.resolve()) for split, place in places.items()}, is_complete]
    )
    answer = remember(
        f"preflight/{where}",
        [PREFLIGHT_VERSION, SAMPLED, fingerprint],
        0,
        lambda: _find(folders, places, name, is_complete).model_dump(mode="json"),
        is_final=lambda found: not found["problems"],
    )
    report = Report.model_validate(answer)
    beside = (*_other_places(folders, reader), *_left_out_notes(reader, places))
    return report.model_copy(update={"notes": (*report.notes, *beside)})


def _find(folders: ImageFolders, places: dict[str, Path], name: str, is_complete: bool) -> Report:
    lists = {split: list_images(folders, split) for split in places}
    sample = SeenImages()
    for images in lists.values():
        count = len(images) if is_complete else max(1, SAMPLED // len(lists))
        sample.add(images, _evenly(len(images), count))
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


def _evenly(total: int, count: int) -> list[int]:
    """Return `count` positions, evenly spaced over `total`, or all."""
    return [row * total // count for row in range(count)] if count < total else list(range(total))


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


def _is_turned(image: Image.Image) -> bool:
    """Return whether EXIF asks to turn or mirror an image before it is shown."""
    try:
        return bool(image.getexif().get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT)
    except UNREADABLE:  # damaged EXIF data in an image that can be read
        return False


class SeenImages:
    """Statistics of the checked images."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.modes: Counter[str] = Counter()
        self.digest = hashlib.sha256()
        self._sides: list[tuple[int, int]] = []
        self._first: dict[str, str] = {}
        self._small: list[str] = []
        self._turned: list[str] = []
        self._unreadable: list[str] = []

    def add(self, images: ImageList, rows: Sequence[int]) -> None:
        """Decode images and add their content to the hash."""
        for row in rows:
            self.looked_at += 1
            try:
                self._look_at(images, row)
            except UnreadableImageError as error:
                self._unreadable.append(str(error))

    def _look_at(self, images: ImageList, row: int) -> None:
        path = images.paths[row]
        with images.open(row) as file:
            content = file.read()
            self.digest.update(f"{path}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
            with Image.open(io.BytesIO(content)) as image:
                mode, size = image.mode, image.size
                if _is_turned(image):
                    self._turned.append(path)
                to_rgb(image)
        self.modes[mode] += 1
        self._first.setdefault(mode, path)
        self._sides.append(size)
        if min(size) < SMALLEST_SIDE:
            self._small.append(f"{path}, {size[0]}x{size[1]}")

    def sizes(self) -> Sizes | None:
        """Return the sizes, or None if no image could be read."""
        if not self._sides:
            return None
        by_area = sorted(self._sides, key=lambda size: (size[0] * size[1], size))
        middle = (int(median(w for w, _ in by_area)), int(median(h for _, h in by_area)))
        return Sizes(smallest=by_area[0], median=middle, largest=by_area[-1])

    def notes(self) -> Iterator[str]:
        """Yield a line for each kind of image that is converted when read, and one for small images."""
        for mode, count in sorted(self.modes.items()):
            if mode != "RGB":
                how = CONVERSIONS.get(mode, f"have mode {mode}: converted to RGB")
                yield f"{count} of {self.looked_at} images {how} (first: {self._first[mode]})"
        if self._turned:
            yield (
                f"{len(self._turned)} of {self.looked_at} images have an EXIF orientation (first: "
                f"{self._turned[0]}): it is not applied, as in torchvision, so they lie as they are stored"
            )
        if self._small:
            yield (
                f"{len(self._small)} of {self.looked_at} images are below {SMALLEST_SIDE} px (first: "
                f"{self._small[0]}): corruptions need {SMALLEST_SIDE} px after resizing"
            )

    def problems(self) -> Iterator[str]:
        """Yield one line if images could not be read."""
        if self._unreadable:
            others = len(self._unreadable) - 1
            more = f" (and {others} more of the {self.looked_at} checked)" if others else ""
            yield f"{self._unreadable[0]}{more}"
