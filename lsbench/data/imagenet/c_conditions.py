"""The cells of the published ImageNet-C on disk: one folder per corruption and severity.

A cell lies in ``<root>/<corruption>/<severity>/<wnid>/``, or one folder further down where the archives were
unpacked into folders of their own (``<root>/noise/gaussian_noise/...``). What is wrong with one cell never
keeps the others from being used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lsbench.core.errors import DataError
from lsbench.data.imagenet.ilsvrc import check_classes, ilsvrc_wnids
from lsbench.data.readers._folder_scan import class_folders, fingerprint_folders

SEVERITIES = ("1", "2", "3", "4", "5")
HOW_TO_GET = (
    "unpack blur.tar, digital.tar, noise.tar and weather.tar (extra.tar: the four for validation) of "
    "zenodo.org/records/2235448"
)


@dataclass(frozen=True)
class Cells:
    """What was found of ImageNet-C.

    Attributes:
        root: Where it was looked for.
        places: Cell, as :func:`cell_name` writes it, to its folder, for those that hold every class.
        broken: Cell to one line on what is wrong with it, for those whose folder is there.
        fingerprints: Cell to the hash of its images, for those in `places`.
    """

    root: Path
    places: dict[str, Path]
    broken: dict[str, str]
    fingerprints: dict[str, str]

    def problems(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return for each wanted cell that cannot be used one line on why, in the order of `wanted`."""
        return {cell: self._problem(cell) for cell in wanted if cell not in self.places}

    def _problem(self, cell: str) -> str:
        missing = f"expected ImageNet-C's images of {cell} in {self.root / cell}, found no such folder"
        return self.broken.get(cell, f"{missing}; {HOW_TO_GET}")


def cell_name(corruption: str, severity: int) -> str:
    """Return the name of a cell, which is also its path below the root.

    >>> cell_name("fog", 3)
    'fog/3'
    """
    return f"{corruption}/{severity}"


def find_cells(root: Path) -> Cells:
    """Return the cells below `root`; fast from the second call on.

    Raises:
        DataError: If there is none at all.
    """
    found = _folders(root) if root.is_dir() else {}
    places: dict[str, Path] = {}
    broken: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    for cell, place in found.items():
        try:
            check_classes(
                place, class_folders(place), ilsvrc_wnids(), what="ILSVRC class folders", how=HOW_TO_GET
            )
            fingerprints[cell] = fingerprint_folders({cell: place})
        except DataError as error:
            broken[cell] = str(error)
        else:
            places[cell] = place
    if not found:
        raise DataError(
            f"expected ImageNet-C in {root}/<corruption>/<severity>/<wnid>/*.JPEG, found no such folder; "
            f"{HOW_TO_GET}"
        )
    return Cells(root, places, broken, fingerprints)


def _folders(root: Path) -> dict[str, Path]:
    """Return the folder of each cell, sorted by the cell's name."""
    found: dict[str, Path] = {}
    for pattern in ("*/*/[1-5]", "*/[1-5]"):
        for place in root.glob(pattern):
            is_numbered_class = place.parent.name in SEVERITIES
            if place.is_dir() and not is_numbered_class:
                found[f"{place.parent.name}/{place.name}"] = place
    return dict(sorted(found.items()))
