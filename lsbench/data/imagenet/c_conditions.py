"""The conditions of the published ImageNet-C on disk: one folder per corruption and severity.

A condition lies in ``<root>/<corruption>/<severity>/<wnid>/``, or one folder deeper if the archives were
unpacked into folders of their own (``<root>/noise/gaussian_noise/...``). A broken condition never keeps the
others from being used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lsbench.core.errors import DataError, MissingDataError
from lsbench.data.imagenet.ilsvrc import check_classes, ilsvrc_wnids
from lsbench.data.readers._folder_scan import class_folders, fingerprint_folders
from lsbench.data.readers._left_out import litter_in

#: Side of the published files, pixels.
C_SIZE = 224
SEVERITIES = ("1", "2", "3", "4", "5")
HOW_TO_GET = (
    "unpack blur.tar, digital.tar, noise.tar and weather.tar (extra.tar: the four for validation) of "
    "zenodo.org/records/2235448"
)


@dataclass(frozen=True)
class Conditions:
    """The conditions of ImageNet-C found on disk.

    Attributes:
        root: Folder that was searched.
        places: Condition, as :func:`condition_name` writes it, to its folder; only those with every class.
        broken: Condition to one line on its problem, for those whose folder exists.
        fingerprints: Condition to the hash of its images, for those in `places`.
    """

    root: Path
    places: dict[str, Path]
    broken: dict[str, str]
    fingerprints: dict[str, str]

    def problems(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return one line for each requested condition that cannot be used, in the order of `wanted`."""
        return {condition: self._problem(condition) for condition in wanted if condition not in self.places}

    def _problem(self, condition: str) -> str:
        missing = (
            f"expected ImageNet-C's images of {condition} in {self.root / condition}, found no such folder"
        )
        return self.broken.get(condition, f"{missing}; {HOW_TO_GET}")


def condition_name(corruption: str, severity: int) -> str:
    """Return the name of a condition, which is also its path below the root.

    >>> condition_name("fog", 3)
    'fog/3'
    """
    return f"{corruption}/{severity}"


def find_conditions(root: Path) -> Conditions:
    """Return the conditions below `root`; fast from the second call on.

    Raises:
        DataError: If there is no condition at all.
    """
    found = _folders(root) if root.is_dir() else {}
    places: dict[str, Path] = {}
    broken: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    for condition, place in found.items():
        try:
            check_classes(
                place, class_folders(place), ilsvrc_wnids(), what="ILSVRC class folders", how=HOW_TO_GET
            )
            fingerprints[condition] = fingerprint_folders({condition: place})
        except DataError as error:
            broken[condition] = str(error)
        else:
            places[condition] = place
    if not found:
        raise MissingDataError(
            f"expected ImageNet-C in {root}/<corruption>/<severity>/<wnid>/*.JPEG, found no such folder; "
            f"{HOW_TO_GET}"
        )
    return Conditions(root, places, broken, fingerprints)


def _folders(root: Path) -> dict[str, Path]:
    """Return the folder of each condition, sorted by the condition's name."""
    found: dict[str, Path] = {}
    for pattern in ("*/*/[1-5]", "*/[1-5]"):
        for place in root.glob(pattern):
            is_numbered_class = place.parent.name in SEVERITIES
            is_litter = litter_in(str(place.relative_to(root))) is not None
            if place.is_dir() and not is_numbered_class and not is_litter:
                found[f"{place.parent.name}/{place.name}"] = place
    return dict(sorted(found.items()))
