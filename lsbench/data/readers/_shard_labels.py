"""The class of each image in a shard: the text of its ``.cls`` member, or the last folder in its name.

WebDataset takes all after the first dot of a file name for its extension, so that ``1.v2.jpg`` has the
extension ``v2.jpg`` and ``1.v2.cls`` is not a ``cls``. Here a ``.cls`` belongs to the image with which it
shares the longest name, up to any dot: names without further dots are read as WebDataset reads them, and
names with dots as they are meant.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from lsbench.core.errors import DataError
from lsbench.core.plain_text import shown
from lsbench.data.readers._class_list import decode_text

LABEL = ".cls"
"""Ending of the members that hold a class."""

OTHER_PICTURES = frozenset(
    {
        ".gif",
        ".jfif",
        ".jpe",
        ".avif",
        ".heic",
        ".heif",
        ".jp2",
        ".jxl",
        ".svg",
        ".ico",
        ".tga",
        ".raw",
        ".dng",
    }
)
"""Endings of pictures that are not read; their labels are left out with them."""

NOTES = frozenset({".json", ".txt", ".class", ".label", ".target", ".index", ".id"})
"""Endings of members that may hold a label which nobody would read."""

_NUMBER = re.compile(r"[0-9]{1,6}")
_KEY = re.compile(r"label|class|cls|target|categor|species|synset|wnid|^y$", re.IGNORECASE)


def names_of(path: str) -> Iterator[str]:
    """Yield the names under which a ``.cls`` may belong to an image, the best first.

    That is its own name without the ending, then with it, then up to an earlier dot.

    >>> list(names_of("imgs/1.v2.jpg"))
    ['imgs/1.v2', 'imgs/1.v2.jpg', 'imgs/1']
    """
    name = os.path.splitext(path)[0]
    yield name
    yield path
    while (shorter := os.path.splitext(name)[0]) != name:
        name = shorter
        yield name


def read_label(content: bytes, where: str) -> int | str:
    """Return the class number or name that a ``.cls`` member holds.

    Args:
        content: Its bytes.
        where: The member and its shard, for messages.

    Raises:
        DataError: If it is empty, or a number that no class can have.
    """
    try:
        text = decode_text(content).strip()
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected a class number or name in {where}, found: {error}; save it as UTF-8"
        ) from error
    if _NUMBER.fullmatch(text):
        return int(text)
    if not text or "\n" in text or _is_number(text) or text.startswith(("[", "{")):
        found = f"'{shown(text)}'" if text else "nothing"
        raise DataError(
            f"expected a class number or name in {where}, found {found}; write a whole number from 0 to "
            "999999, or a name"
        )
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def match_labels(
    images: Sequence[str], labels: Mapping[str, str], pictures: Sequence[str], shard: str
) -> dict[str, str]:
    """Return for each image the key of its ``.cls`` member in `labels`, or nothing if the shard has none.

    Args:
        images: Names of the images.
        labels: Names of the ``.cls`` members without their ending, to the names of the members.
        pictures: Names of pictures that are not read.
        shard: Path of the shard, for messages.

    Raises:
        DataError: If one image has a class and another none, a class belongs to several images or to none.
    """
    owners: dict[str, str] = {}
    found: dict[str, str] = {}
    for path in images:
        name = next((name for name in names_of(path) if name in labels), None)
        if name is None:
            continue
        if other := owners.get(name):
            raise DataError(
                f"expected one image for '{labels[name]}' in {shard}, found {other}, {path}; write one image "
                "per sample"
            )
        owners[name], found[path] = path, name
    if found and (bare := next((path for path in images if path not in found), None)):
        raise DataError(
            f"expected a class for each image in {shard}, found none for '{bare}', while others have one; "
            f"add '{os.path.splitext(bare)[0]}{LABEL}'"
        )
    not_read = {name for path in pictures for name in names_of(path)}
    if lost := next((labels[name] for name in labels if name not in owners and name not in not_read), None):
        raise DataError(
            f"expected an image for '{lost}' in {shard}, found none of this name; add it, or remove the label"
        )
    return found


def folder_of(path: str) -> str:
    """Return the last folder in the name of an image; empty if there is none.

    >>> folder_of("train/n1/1.png"), folder_of("../1.png"), folder_of("1.png")
    ('n1', '', '')
    """
    name = PurePosixPath(posixpath.normpath(path)).parent.name
    return "" if name == ".." else name


def states_label(content: bytes, ending: str, folder: str) -> bool:
    """Return whether a member that is not read holds another class than the image's folder.

    Args:
        content: Its bytes.
        ending: Its ending, one of `NOTES`.
        folder: The folder of the image that it belongs to.
    """
    text = content.decode("utf-8", "replace").strip()
    if text == folder:
        return False
    if ending != ".json":
        return _NUMBER.fullmatch(text) is not None or ending != ".txt"
    try:
        found = json.loads(text)
    except ValueError:
        return False
    if not isinstance(found, dict):
        return bool(found != folder)
    keys, values = _keys_and_values(found)
    return any(_KEY.search(key) for key in keys) and folder not in values


def _keys_and_values(found: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return all keys and values of nested mappings, as texts."""
    keys, values = set(found), set()
    for value in found.values():
        if isinstance(value, dict):
            more_keys, more_values = _keys_and_values(value)
            keys |= more_keys
            values |= more_values
        else:
            values.add(str(value))
    return keys, values
