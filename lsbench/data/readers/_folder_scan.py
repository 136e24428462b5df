"""Scan class folders on disk without opening an image: names, counts and a fingerprint.

A folder of 1.3 million files is walked once; the result is cached and reused while no class folder changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from lsbench.core.errors import DataError, MissingDataError
from lsbench.core.ids import content_hash
from lsbench.data.dataset import IMAGE_EXTENSIONS
from lsbench.data.memo import remember
from lsbench.data.readers._fingerprint import FINGERPRINT_VERSION, SCAN, fingerprint_lines, image_line
from lsbench.data.readers._left_out import LeftOut, litter_in
from lsbench.data.readers._links import require_reachable


def resolve_root(root: Path | None, data_root: Path | None, default: str) -> Path:
    """Return the folder of a data set: its own `root` if given, else ``<data_root>/<default>``.

    Args:
        root: The spec's ``root``; relative paths start at `data_root` if there is one.
        data_root: Folder under which large data sets live.
        default: Folder name below `data_root`.

    Raises:
        DataError: If neither `root` nor `data_root` says where to look.
    """
    base = data_root.expanduser() if data_root else None
    if root is not None:
        chosen = root.expanduser()
        return base / chosen if base else chosen
    if base is None:
        raise MissingDataError(
            f"expected the data set '{default}' on this machine, but no folder was named; "
            f"give the folder that holds '{default}/' with --data DIR or LSBENCH_DATA, or set 'root:' of "
            "the data set"
        )
    return base / default


def class_folders(split_folder: Path) -> list[str]:
    """Return the names of the class folders in a split, sorted; litter of other programs is left out.

    Raises:
        DataError: If a link leads nowhere, or the folder cannot be read.
    """
    entries = _entries(split_folder)
    return [entry.name for entry in entries if litter_in(entry.name) is None and entry.is_dir()]


def image_files(class_folder: Path) -> list[os.DirEntry[str]]:
    """Return the image files of a class, sorted by name.

    Raises:
        DataError: If the class folder holds another folder, or a link that leads nowhere.
    """
    found = []
    for entry in _entries(class_folder):
        if litter_in(entry.name) is not None:
            continue
        if entry.is_dir():
            raise DataError(
                f"expected only images in {class_folder}, found the folder '{entry.name}'; move its images up"
            )
        if not is_image(entry.name):
            continue
        if not entry.is_file():
            raise DataError(f"expected an image at {class_folder / entry.name}, found no file; remove it")
        found.append(entry)
    return found


def is_image(name: str) -> bool:
    """Return whether a file counts as an image, by the ending of its name."""
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


def count_left_out(split_folder: Path) -> LeftOut:
    """Return counts of the litter in a split and its class folders, and of files that are no images.

    Raises:
        DataError: As :func:`image_files`.
    """
    state, newest = _state({"": split_folder})
    newest = max(newest, split_folder.stat().st_mtime_ns)

    def find() -> list[dict[str, int]]:
        found = LeftOut()
        _count(split_folder, found, holds_images=False)
        for name in class_folders(split_folder):
            _count(split_folder / name, found, holds_images=True)
        return found.to_json()

    where = content_hash(str(split_folder.resolve()))
    return LeftOut.from_json(
        remember(f"left_out/{where}", [state, split_folder.stat().st_mtime_ns], newest, find)
    )


def _count(folder: Path, found: LeftOut, *, holds_images: bool) -> None:
    for entry in _entries(folder):
        if litter := litter_in(entry.name):
            files = sum(len(names) for _, _, names in os.walk(entry.path)) if entry.is_dir() else 1
            found.add_litter(litter, max(files, 1))
        elif not entry.is_dir() and not (holds_images and is_image(entry.name)):
            found.add_skipped(entry.name)


def fingerprint_folders(splits: Mapping[str, Path]) -> str:
    """Return 64 hex digits over split, class, file name and file size of every image.

    Overwriting a file in place with another of the same name and size is not noticed, nor is any overwriting
    in place while the cached result is valid.

    Args:
        splits: Split name to folder.

    Raises:
        DataError: If a class folder holds another folder, no image at all, or a link that leads nowhere.
    """
    state, newest = _state(splits)
    names = content_hash({split: str(path.resolve()) for split, path in splits.items()})

    def find() -> str:
        return fingerprint_lines(
            line for split in sorted(splits) for line in _image_lines(split, splits[split])
        )

    return str(remember(f"fingerprints/{names}", state, newest, find, wait=SCAN))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, sorted by name.

    Raises:
        DataError: If it cannot be read, or a link in it that is no litter leads nowhere.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"expected a folder that can be read at {folder}, found: {error.strerror}") from error
    for entry in found:
        if entry.is_symlink() and litter_in(entry.name) is None:
            require_reachable(entry.path)
    return found


def _state(splits: Mapping[str, Path]) -> tuple[str, int]:
    """Return a hash of every class folder's modification time, and the newest of them."""
    times = {
        f"{split}/{name}": os.stat(path / name).st_mtime_ns
        for split, path in splits.items()
        for name in class_folders(path)
    }
    return content_hash([FINGERPRINT_VERSION, times], length=64), max(times.values(), default=0)


def _image_lines(split: str, folder: Path) -> Iterator[str]:
    for name in class_folders(folder):
        images = image_files(folder / name)
        if not images:
            raise DataError(
                f"expected images in {folder / name}, found none; complete or remove the class folder"
            )
        for entry in images:
            yield image_line(split, name, entry.name, entry.stat().st_size)
