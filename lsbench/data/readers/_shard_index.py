"""Find every image in WebDataset tar shards: its offset, its length and its class.

A shard is read once, headers and labels only; the result is cached while the shard is unchanged. How a class
is found is told in :mod:`lsbench.data.readers._shard_labels`.
"""

from __future__ import annotations

import os
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS
from lsbench.data.memo import remember
from lsbench.data.readers._left_out import LeftOut, litter_in
from lsbench.data.readers._links import require_reachable
from lsbench.data.readers._shard_labels import (
    LABEL,
    NOTES,
    OTHER_PICTURES,
    folder_of,
    match_labels,
    names_of,
    read_label,
    states_label,
)

INDEX_VERSION = 2
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4")


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a shard.

    Attributes:
        label: Class number or name, as stored in the shard.
        path: Name within the shard.
        offset: Offset of its bytes in the shard.
        size: Number of its bytes.
    """

    label: int | str
    path: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        """The file name without folders."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class ShardIndex:
    """What a shard holds.

    Attributes:
        members: Its images, in their order in the shard.
        has_labels: Whether their classes are ``.cls`` members rather than folders.
        left_out: Counts of the members that are not read.
    """

    members: list[Member]
    has_labels: bool
    left_out: LeftOut


def find_shards(place: Path) -> list[Path]:
    """Return the shards of a split, sorted by name.

    Args:
        place: A folder of ``*.tar`` files, or ``<folder>/<word>`` for those ``*.tar`` files in the folder
            whose names contain the word between separators: ``imagenet1k-train-0000.tar``.

    Raises:
        DataError: If one is compressed, or a link that leads nowhere.
    """
    require_reachable(place)
    folder = place if place.is_dir() else place.parent
    word = re.compile("" if folder is place else rf"(?:^|[-_.]){re.escape(place.name)}(?=[-_.])")
    shards = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if litter_in(path.name) or not word.search(path.name):
            continue
        if path.name.lower().endswith(COMPRESSED):
            raise DataError(f"expected uncompressed tar shards, found {path}; unpack it to a .tar")
        if path.name.lower().endswith(".tar"):
            require_reachable(path)
            shards.append(path)
    return shards


def index_shard(shard: Path) -> ShardIndex:
    """Return the images of a shard.

    Raises:
        DataError: If the shard is damaged, compressed, or does not state the class of an image.
    """
    stat = shard.stat()

    def find() -> list[Any]:
        found = _read_shard(shard)
        members = [[m.label, m.path, m.offset, m.size] for m in found.members]
        return [members, found.has_labels, found.left_out.to_json()]

    members, has_labels, left_out = remember(
        f"shards/{content_hash(str(shard.resolve()))}",
        [INDEX_VERSION, stat.st_size, stat.st_mtime_ns],
        stat.st_mtime_ns,
        find,
    )
    return ShardIndex([Member(*entry) for entry in members], has_labels, LeftOut.from_json(left_out))


def shard_state(shards: list[Path]) -> tuple[list[list[str | int]], int]:
    """Return the state that a cached answer about `shards` depends on, and the latest modification time."""
    stats = [(shard, shard.stat()) for shard in shards]
    state: list[list[str | int]] = [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    return state, max((stat.st_mtime_ns for _, stat in stats), default=0)


@dataclass
class _Listing:
    """The members of a shard by their normalised names; those of labels lack the ending."""

    images: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    labels: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    others: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)


def _read_shard(shard: Path) -> ShardIndex:
    try:
        with tarfile.open(shard, "r:", encoding="utf-8") as tar:
            listing = _list_members(tar, shard)
            _check_end(tar)
            return _index(tar, listing, shard)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"expected an uncompressed, complete tar shard at {shard}, found: {error}; copy it again"
        ) from error


def _list_members(tar: tarfile.TarFile, shard: Path) -> _Listing:
    found = _Listing()
    for info in tar:
        path = posixpath.normpath(info.name)
        ending = os.path.splitext(path)[1].lower()
        if info.isdir():
            continue
        if litter := litter_in(path):
            if ending != LABEL:  # belongs to an image that is counted
                found.left_out.add_litter(litter)
            continue
        kind = found.images if ending in IMAGE_EXTENSIONS else found.others
        if ending == LABEL:
            kind, path = found.labels, os.path.splitext(path)[0]
        if kind is not found.others:
            _check_member(info, kind.get(path), shard)
        kind[path] = info
    return found


def _check_member(info: tarfile.TarInfo, earlier: tarfile.TarInfo | None, shard: Path) -> None:
    """Raise a DataError for an image or label that is not an ordinary file, or is there twice."""
    if earlier is not None:
        raise DataError(
            f"expected each name once in {shard}, found '{info.name}' twice; write the shard anew"
        )
    if not info.isreg() or info.issparse():
        what = "a link" if info.issym() or info.islnk() else "a special or sparse file"
        raise DataError(
            f"expected ordinary files in {shard}, found {what}, '{info.name}'; write the shard with "
            "`tar --dereference --hard-dereference`"
        )


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise a ReadError if a shard lacks the zeros that end a tar file, or goes on behind them.

    tarfile mistakes a damaged header in mid-shard, and the end of a file that was cut between two members,
    for the end.
    """
    file = tar.fileobj
    if file is None:
        return
    file.seek(tar.offset)
    block = file.read(tarfile.BLOCKSIZE)
    if any(block):
        raise tarfile.ReadError(f"a damaged header at byte {tar.offset}")
    if len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"no end of the archive behind byte {tar.offset}: it was cut")
    while rest := file.read(1 << 20):
        if any(rest):
            raise tarfile.ReadError(f"more data behind its end at byte {tar.offset}, as if two were joined")


def _index(tar: tarfile.TarFile, listing: _Listing, shard: Path) -> ShardIndex:
    """Return the images with their classes, after checking that each has exactly one."""
    labels = {name: info.name for name, info in listing.labels.items()}
    pictures = [path for path in listing.others if os.path.splitext(path)[1].lower() in OTHER_PICTURES]
    matched = match_labels(list(listing.images), labels, pictures, str(shard))
    owner = {name: path for path in listing.images for name in names_of(path)}
    for path, info in listing.others.items():
        image = next((owner[name] for name in names_of(path) if name in owner), None)
        if image is None:
            listing.left_out.add_skipped(PurePosixPath(path).name)
        elif not matched and os.path.splitext(path)[1].lower() in NOTES and info.isreg():
            _check_note(_content(tar, info), info.name, image, shard)
    return ShardIndex(list(_members(tar, listing, matched, shard)), bool(matched), listing.left_out)


def _check_note(content: bytes, note: str, image: str, shard: Path) -> None:
    if states_label(content, os.path.splitext(note)[1].lower(), folder_of(image)):
        raise DataError(
            f"expected the class of '{image}' in {shard} as a member '{os.path.splitext(image)[0]}{LABEL}', "
            f"found one in '{note}' only, which is not read; add the .cls members"
        )


def _members(
    tar: tarfile.TarFile, listing: _Listing, matched: dict[str, str], shard: Path
) -> Iterator[Member]:
    for path, info in listing.images.items():
        label: int | str = folder_of(path)
        if path in matched:
            member = listing.labels[matched[path]]
            label = read_label(_content(tar, member), f"member '{member.name}' of {shard}")
        elif not label:
            raise DataError(
                f"expected the class of '{info.name}' in {shard} as its folder or as a member "
                f"'{os.path.splitext(path)[0]}{LABEL}', found neither; add one of them"
            )
        yield Member(label, info.name, info.offset_data, info.size)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    return b"" if file is None else file.read()
