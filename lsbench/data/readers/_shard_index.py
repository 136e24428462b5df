"""Find every image in WebDataset tar shards: its offset, its length and its class.

A shard is read once, headers only; the result is cached while the shard is unchanged. Samples are grouped as
WebDataset does: the members of a shard whose names agree up to the first dot of their file name. The class of
a sample is the text of its ``.cls`` member, a number or a name, or else the last folder in its name:
``n01440764/n01440764_10026.JPEG``.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS
from lsbench.data.memo import remember

INDEX_VERSION = 1
CLASS_MEMBER = "cls"


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


def find_shards(place: Path) -> list[Path]:
    """Return the shards of a split, sorted by name.

    Args:
        place: A folder of ``*.tar`` files, or ``<folder>/<word>`` for those ``*.tar`` files in the folder
            whose names contain the word between separators: ``imagenet1k-train-0000.tar``.
    """
    folder = place if place.is_dir() else place.parent
    shards = sorted(path for path in folder.glob("*.tar") if not path.name.startswith("."))
    if folder is place:
        return shards
    word = re.compile(rf"(?:^|[-_.]){re.escape(place.name)}(?=[-_.])")
    return [path for path in shards if word.search(path.name)]


def index_shard(shard: Path) -> list[Member]:
    """Return the images of a shard in their order in the shard.

    Raises:
        DataError: If the shard is damaged, compressed, or does not state the class of an image.
    """
    stat = shard.stat()
    found = remember(
        f"shards/{content_hash(str(shard.resolve()))}",
        [INDEX_VERSION, stat.st_size, stat.st_mtime_ns],
        stat.st_mtime_ns,
        lambda: [[m.label, m.path, m.offset, m.size] for m in _read_members(shard)],
    )
    return [Member(*entry) for entry in found]


def shard_state(shards: list[Path]) -> tuple[list[list[str | int]], int]:
    """Return the state that a cached answer about `shards` depends on, and the latest modification time."""
    stats = [(shard, shard.stat()) for shard in shards]
    state: list[list[str | int]] = [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    return state, max((stat.st_mtime_ns for _, stat in stats), default=0)


def _read_members(shard: Path) -> Iterator[Member]:
    images: dict[str, list[tarfile.TarInfo]] = {}
    labels: dict[str, int | str] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for info in tar:
                key, extension = _split_name(info.name)
                if not info.isfile() or os.path.basename(info.name).startswith("."):
                    continue
                if extension == CLASS_MEMBER:
                    labels[key] = _label(tar, info, shard)
                elif extension.endswith(_IMAGE_ENDINGS):
                    images.setdefault(key, []).append(info)
            _check_end(tar)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"expected an uncompressed, complete tar shard at {shard}, found: {error}; copy it again"
        ) from error
    for key, infos in images.items():
        yield from _members_of(key, infos, labels.get(key), shard)


_IMAGE_ENDINGS = tuple(extension.removeprefix(".") for extension in IMAGE_EXTENSIONS)


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise a ReadError on a damaged header in mid-shard, which tarfile mistakes for the end."""
    file = tar.fileobj
    if file is not None:
        file.seek(tar.offset)
        if any(file.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError(f"a damaged header at byte {tar.offset}")


def _split_name(path: str) -> tuple[str, str]:
    """Return WebDataset's key and lower-case extension: all after the file name's first dot."""
    folder, _, name = path.rpartition("/")
    stem, _, extension = name.partition(".")
    return f"{folder}/{stem}", extension.lower()


def _label(tar: tarfile.TarFile, info: tarfile.TarInfo, shard: Path) -> int | str:
    file = tar.extractfile(info)
    text = "" if file is None else file.read().decode("utf-8", "replace").strip()
    if not text:
        raise DataError(f"expected a class number or name in member '{info.name}' of {shard}, found nothing")
    try:
        return int(text)
    except ValueError:
        return text


def _members_of(
    key: str, infos: list[tarfile.TarInfo], label: int | str | None, shard: Path
) -> Iterator[Member]:
    if label is not None and len(infos) > 1:
        raise DataError(
            f"expected one image for '{key.lstrip('/')}.{CLASS_MEMBER}' in {shard}, found "
            f"{', '.join(info.name for info in infos[:3])}; write one image per sample"
        )
    for info in infos:
        folder = PurePosixPath(info.name).parent.name
        if label is None and not folder:
            raise DataError(
                f"expected the class of '{info.name}' in {shard} as its folder or as a member "
                f"'{key.lstrip('/')}.{CLASS_MEMBER}', found neither; add one of them"
            )
        yield Member(folder if label is None else label, info.name, info.offset_data, info.size)
