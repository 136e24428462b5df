"""Storage of images: one file per kind, each with the same six methods as ``READER``.

Class indices, the order of the images and the pixels are the same in any storage. Planning asks for splits,
classes and fingerprint, so these files import pyarrow and datasets only inside
functions, and neither torch nor timm at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from lsbench.data.dataset import ReaderName
from lsbench.data.readers._left_out import LeftOut

__all__ = ["SPLIT_WORDS", "OpenedSplit", "ReaderKind", "StoredImage", "class_name", "load_reader"]

SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {"val": ("val", "validation", "valid")}
"""The names that a split may have in storage; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """The place of one image in its storage.

    Attributes:
        target: Class index.
        name: File name, without folders.
        origin: Distinguishes images of the same class and name: the shard's name, or the row's number.
        row: Position in the reader.
    """

    target: int
    name: str
    origin: str
    row: int


@dataclass(frozen=True)
class OpenedSplit:
    """A split whose images can be read.

    Attributes:
        reader: Gives images by number: ``reader[row][0]`` is the image's file, opened.
        images: Every image, in no particular order.
    """

    reader: Any
    images: Sequence[StoredImage]


class ReaderKind(Protocol):
    """The contract of ``READER`` in a file of ``lsbench/data/readers/``."""

    @property
    def layout(self) -> str:
        """Expected layout of the images below the data set's root, for messages."""

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return the place of each available split of `names`, in their order.

        A place is a path that this reader understands; only for class folders is it always a folder.

        Raises:
            DataError: If a package that this storage needs is not installed.
        """

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the classes in a split, sorted.

        Args:
            place: A split.
            numbered: Class names by number, for storage that numbers its classes.

        Raises:
            DataError: If the storage is damaged or does not state the class of an image.
        """

    def fingerprint(self, splits: Mapping[str, Path], numbered: Sequence[str] | None) -> str:
        """Return 64 hex digits that change if the images change; fast from the second call on.

        Raises:
            DataError: As :meth:`class_names`.
        """

    def open_split(self, place: Path, wnids: Sequence[str], numbered: Sequence[str] | None) -> OpenedSplit:
        """Return the images of a split; classes that are not in `wnids` are left out.

        Raises:
            DataError: As :meth:`class_names`.
        """

    def left_out(self, place: Path) -> LeftOut:
        """Return counts of what lies in a split and is not read; fast from the second call on.

        Raises:
            DataError: As :meth:`class_names`.
        """

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the place of an image, for messages.

        Args:
            place: Its split.
            path: Its class and file name.
            row: Its position in the reader.
            reader: The split's reader.
        """


def load_reader(name: ReaderName) -> ReaderKind:
    """Return the reader called `name`."""
    return cast(ReaderKind, importlib.import_module(f"{__name__}.{name}").READER)


def class_name(label: int | str, numbered: Sequence[str] | None) -> str:
    """Return the class name of a label: itself, or the name of a number.

    Without names, a number is written with six digits, so that names sort as their numbers do.

    >>> class_name("n1", None), class_name(1, ("a", "b")), class_name(7, None)
    ('n1', 'b', '000007')
    """
    if isinstance(label, str):
        return label
    return f"{label:06d}" if numbered is None else numbered[label]
