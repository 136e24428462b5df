"""WebDataset tar shards: ``<root>/<split>/*.tar``, or ``<root>/*-<split>-*.tar`` side by side.

The validation split may be called ``val``, ``validation`` or ``valid``. If classes are numbers, their names
come from the data set (ImageNet), or line ``number`` of ``<root>/classes.txt``, or are the number in six
digits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.memo import remember
from lsbench.data.readers import SPLIT_WORDS, OpenedSplit, StoredImage, class_name
from lsbench.data.readers._class_list import CLASS_LIST
from lsbench.data.readers._fingerprint import FINGERPRINT_VERSION, SCAN, fingerprint_lines, image_line
from lsbench.data.readers._left_out import LeftOut
from lsbench.data.readers._shard_index import (
    INDEX_VERSION,
    ShardIndex,
    find_shards,
    index_shard,
    shard_state,
)
from lsbench.data.readers._shard_labels import LABEL

Label = int | str


class WdsReader:
    """Images in tar shards, found by an index and read by number."""

    layout = "uncompressed WebDataset shards <root>/<split>/*.tar or <root>/<name>-<split>-<number>.tar"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return for each split its folder, or ``<root>/<word in the shards' names>``.

        Raises:
            DataError: If the name of a shard has the words of two splits.
        """
        found: dict[str, Path] = {}
        places: dict[Path, Path] = {}
        for name in names:
            for place in (root / word for word in SPLIT_WORDS.get(name, (name,))):
                shards = [] if name in found else find_shards(place)
                for shard in shards:
                    if (other := places.setdefault(shard, place)) != place:
                        raise DataError(
                            f"expected shards of one split each in {root}, found {shard.name}, which is of "
                            f"{other.name} and of {place.name} by its name; put the shards of each split "
                            "into a folder of its own"
                        )
                if shards:
                    found[name] = place
        return found

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the classes of all images in the shards, sorted."""
        shards = find_shards(place)
        state, newest = shard_state(shards)
        labels = remember(
            f"shards/classes-{content_hash(str(place.resolve()))}",
            [INDEX_VERSION, *state],
            newest,
            lambda: sorted({m.label for index in _indices(shards) for m in index.members}, key=str),
        )
        return sorted(set(_class_names(labels, shards, place, numbered).values()))

    def fingerprint(self, splits: Mapping[str, Path], numbered: Sequence[str] | None) -> str:
        """Return a hash over class, file name and size of all images.

        It equals that of class folders with the same files, since the results are the same.
        """
        shards = {split: find_shards(place) for split, place in splits.items()}
        states = {split: shard_state(found) for split, found in shards.items()}
        state = {split: found for split, (found, _) in sorted(states.items())}
        names = content_hash({split: str(place.resolve()) for split, place in splits.items()})
        return str(
            remember(
                f"fingerprints/wds-{names}",
                content_hash([FINGERPRINT_VERSION, INDEX_VERSION, state, numbered], length=64),
                max((newest for _, newest in states.values()), default=0),
                lambda: fingerprint_lines(_lines(shards, splits, numbered)),
                wait=SCAN,
            )
        )

    def open_split(self, place: Path, wnids: Sequence[str], numbered: Sequence[str] | None) -> OpenedSplit:
        """Return the images of the shards."""
        from lsbench.data.readers._shard_reader import ShardReader

        shards = find_shards(place)
        indices = _indices(shards)
        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        members = [
            (shard.stem, member)
            for shard, found in zip(shards, indices, strict=True)
            for member in found.members
        ]
        names = _class_names({member.label for _, member in members}, shards, place, numbered)
        targets = [class_to_idx.get(names[member.label], -1) for _, member in members]
        stored = [
            StoredImage(target, member.name, shard, row)
            for row, ((shard, member), target) in enumerate(zip(members, targets, strict=True))
            if target >= 0
        ]
        return OpenedSplit(ShardReader(shards, [index.members for index in indices], targets), stored)

    def left_out(self, place: Path) -> LeftOut:
        """Return counts of the members that belong to no image."""
        found = LeftOut()
        for index in _indices(find_shards(place)):
            found.add(index.left_out)
        return found

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the image's class and name and the place of its shards."""
        return f"{path} in the shards of {place}"


def _indices(shards: Sequence[Path]) -> list[ShardIndex]:
    """Return the index of each shard, after checking that all state classes in the same way."""
    indices = [index_shard(shard) for shard in shards]
    pairs = [(shard, index) for shard, index in zip(shards, indices, strict=True) if index.members]
    bare = next((shard for shard, index in pairs if not index.has_labels), None)
    labelled = next((shard for shard, index in pairs if index.has_labels), None)
    if bare is not None and labelled is not None:
        raise DataError(
            f"expected {LABEL} members in all shards or in none, found them in {labelled}, and none in "
            f"{bare}; write the classes of all images in the same way"
        )
    return indices


def _class_names(
    labels: Collection[Label], shards: Sequence[Path], place: Path, numbered: Sequence[str] | None
) -> dict[Label, str]:
    """Return the class name of each label.

    Raises:
        DataError: If a number has no name, or some labels are numbers and others are names.
    """
    numbers = sorted(label for label in labels if isinstance(label, int))
    strangers = sorted(label for label in labels if isinstance(label, str) and label not in (numbered or ()))
    if numbers and strangers:
        raise DataError(
            f"expected class numbers or class names in the shards of {place}, found {numbers[0]} in "
            f"{_holder(numbers[0], shards)} and '{strangers[0]}' in {_holder(strangers[0], shards)}; write "
            "one kind of them"
        )
    if numbered is not None and numbers and numbers[-1] >= len(numbered):
        lines = place.parent / CLASS_LIST
        listed = f"{lines}:{numbers[-1] + 1}: expected" if lines.is_file() else "expected"
        raise DataError(
            f"{listed} the name of class {numbers[-1]}, found {len(numbered)} names, from class 0 on; the "
            f"class is that of {_holder(numbers[-1], shards)}: complete the names or correct the label"
        )
    return {label: class_name(label, numbered) for label in labels}


def _holder(label: Label, shards: Sequence[Path]) -> str:
    """Return the name of the first image with a label, and its shard, for messages."""
    found = (
        f"'{m.path}' of {shard}" for shard in shards for m in index_shard(shard).members if m.label == label
    )
    return next(found, "no shard")


def _lines(
    shards: Mapping[str, Sequence[Path]], places: Mapping[str, Path], numbered: Sequence[str] | None
) -> Iterator[str]:
    for split in sorted(shards):
        members = [member for index in _indices(shards[split]) for member in index.members]
        labels = {member.label for member in members}
        names = _class_names(labels, shards[split], places[split], numbered)
        for image in sorted((names[m.label], m.name, m.size) for m in members):
            yield image_line(split, *image)


READER = WdsReader()
