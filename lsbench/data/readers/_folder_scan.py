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
from lsbench.data.readers._fingerprint import FINGERPRINT_VERSION, fingerprint_lines, image_line


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
    """Return the names of the class folders in a split, sorted; hidden ones are left out."""
    with os.scandir(split_folder) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())


def fingerprint_folders(splits: Mapping[str, Path]) -> str:
    """Return 64 hex digits over split, class, file name and file size of every image.

    Overwriting a file in place with another of the same name and size is not noticed, nor is any overwriting
    in place while the cached result is valid.

    Args:
        splits: Split name to folder.

    Raises:
        DataError: If a class folder holds another folder, or no image at all.
    """
    state, newest = _state(splits)
    names = content_hash({split: str(path.resolve()) for split, path in splits.items()})

    def find() -> str:
        return fingerprint_lines(
            line for split in sorted(splits) for line in _image_lines(split, splits[split])
        )

    return str(remember(f"fingerprints/{names}", state, newest, find))


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
        with os.scandir(folder / name) as entries:
            listed = sorted(entries, key=lambda e: e.name)
        if nested := next((e.name for e in listed if e.is_dir()), None):
            raise DataError(
                f"expected only images in {folder / name}, found the folder '{nested}'; move its images up"
            )
        images = [e for e in listed if e.name.lower().endswith(IMAGE_EXTENSIONS)]
        if not images:
            raise DataError(
                f"expected images in {folder / name}, found none; complete or remove the class folder"
            )
        for entry in images:
            yield image_line(split, name, entry.name, entry.stat().st_size)
