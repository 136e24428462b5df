"""WebDataset tar shards: ``<root>/<split>/*.tar``, or ``<root>/*-<split>-*.tar`` side by side.

The validation split may be called ``val``, ``validation`` or ``valid``. If classes are numbers, their names
come from the data set (ImageNet), or line ``number`` of ``<root>/classes.txt``, or are the number in six
digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsbench.core.ids import content_hash
from lsbench.data.memo import remember
from lsbench.data.readers import SPLIT_WORDS, OpenedSplit, StoredImage, class_name
from lsbench.data.readers._fingerprint import FINGERPRINT_VERSION, fingerprint_lines, image_line
from lsbench.data.readers._shard_index import INDEX_VERSION, find_shards, index_shard, shard_state


class WdsReader:
    """Images in tar shards, found by an index and read by number."""

    layout = "uncompressed WebDataset shards <root>/<split>/*.tar or <root>/<name>-<split>-<number>.tar"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return for each split its folder, or ``<root>/<word in the shards' names>``."""
        found = {}
        for name in names:
            for word in SPLIT_WORDS.get(name, (name,)):
                if name not in found and find_shards(root / word):
                    found[name] = root / word
        return found

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the classes of all images in the shards, sorted."""
        shards = find_shards(place)
        state, newest = shard_state(shards)
        labels = remember(
            f"shards/classes-{content_hash(str(place.resolve()))}",
            [INDEX_VERSION, *state],
            newest,
            lambda: sorted({m.label for shard in shards for m in index_shard(shard)}, key=str),
        )
        return sorted({class_name(label, numbered) for label in labels})

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
                lambda: fingerprint_lines(_lines(shards, numbered)),
            )
        )

    def open_split(self, place: Path, wnids: Sequence[str], numbered: Sequence[str] | None) -> OpenedSplit:
        """Return the images of the shards."""
        from lsbench.data.readers._shard_reader import ShardReader

        shards = find_shards(place)
        indices = [index_shard(shard) for shard in shards]
        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        members = [
            (shard.stem, member) for shard, found in zip(shards, indices, strict=True) for member in found
        ]
        targets = [class_to_idx.get(class_name(member.label, numbered), -1) for _, member in members]
        stored = [
            StoredImage(target, member.name, shard, row)
            for row, ((shard, member), target) in enumerate(zip(members, targets, strict=True))
            if target >= 0
        ]
        return OpenedSplit(ShardReader(shards, indices, targets), stored)

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the image's class and name and the place of its shards."""
        return f"{path} in the shards of {place}"


def _lines(shards: Mapping[str, Sequence[Path]], numbered: Sequence[str] | None) -> Iterator[str]:
    for split in sorted(shards):
        members = [member for shard in shards[split] for member in index_shard(shard)]
        named = sorted((class_name(m.label, numbered), m.name, m.size) for m in members)
        yield from (image_line(split, *image) for image in named)


READER = WdsReader()
