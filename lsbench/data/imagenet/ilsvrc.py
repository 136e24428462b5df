"""The class lists of ImageNet-1K and the data sets based on it, and checks of class folders.

The lists are timm's data files, read without importing timm. A class index is always the position in the
1,000 sorted WordNet ids of ILSVRC2012, however the images are stored.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from lsbench.core.errors import DataError, MissingDataError
from lsbench.data.dataset import ReaderName
from lsbench.data.readers import load_reader

HOW_TO_GET = (
    "register at image-net.org, download ILSVRC2012 (train and val) and unpack it in torchvision's layout "
    "<root>/{train,val}/<wnid>/*.JPEG"
)
SHOWN = 3
"""Number of wrong names that a message lists."""


@cache
def ilsvrc_wnids() -> tuple[str, ...]:
    """Return the 1,000 WordNet ids in class order.

    Raises:
        DataError: If the installed timm lacks the file.
    """
    return class_list("imagenet_synsets.txt")


@cache
def ilsvrc_titles() -> tuple[str, ...]:
    """Return the English name of each class, in class order; two of the same name have their id, too.

    Raises:
        DataError: If the installed timm lacks the file.
    """
    lines = timm_file("imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    words = dict(line.split("\t", 1) for line in lines if "\t" in line)
    names = [words.get(wnid, wnid).split(",")[0].strip() for wnid in ilsvrc_wnids()]
    counts = Counter(names)
    return tuple(
        name if counts[name] == 1 else f"{name} ({wnid})"
        for name, wnid in zip(names, ilsvrc_wnids(), strict=True)
    )


@cache
def class_list(name: str) -> tuple[str, ...]:
    """Return the WordNet ids in timm's list `name`, sorted.

    Raises:
        DataError: If the installed timm lacks the file.
    """
    return tuple(sorted(timm_file(name).read_text(encoding="utf-8").split()))


def class_indices(wnids: Sequence[str]) -> tuple[int, ...]:
    """Return the class indices of some of the 1,000 WordNet ids.

    >>> class_indices(["n01440764", "n15075141"])
    (0, 999)
    """
    position = {wnid: index for index, wnid in enumerate(ilsvrc_wnids())}
    return tuple(position[wnid] for wnid in wnids)


def timm_file(name: str) -> Path:
    """Return the path of timm's data file `name`.

    Raises:
        DataError: If timm is not installed, or its version lacks the file.
    """
    package = importlib.util.find_spec("timm")
    if package is None or package.origin is None:
        raise DataError("expected the package timm, which lists the ImageNet classes; install timm")
    path = Path(package.origin).parent / "data" / "_info" / name
    if not path.is_file():
        raise DataError(f"expected the list of ImageNet classes at {path}; install timm 1.0.20 or newer")
    return path


def find_splits(root: Path, reader: ReaderName, names: Sequence[str]) -> dict[str, Path]:
    """Return the places of the available splits among `names`, after checking that each has all classes.

    Raises:
        DataError: If no split is there, or one lacks a class or holds others.
    """
    kind = load_reader(reader)
    splits = kind.find_splits(root, names)
    if not splits:
        how = HOW_TO_GET if reader == "folder" else f"store it as {kind.layout}"
        places = " and ".join(str(root / name) for name in names)
        raise MissingDataError(
            f"expected ImageNet-1K in {places}, found {'neither' if len(names) > 1 else 'nothing'}; {how}"
        )
    for place in splits.values():
        found = kind.class_names(place, ilsvrc_wnids())
        if reader == "folder":
            how = HOW_TO_GET if found else "sort the images into class folders first"
            check_classes(place, found, ilsvrc_wnids(), what="ILSVRC class folders", how=how)
        else:
            how = "write all classes, by WordNet id or by number in the order of the sorted ids"
            check_classes(place, found, ilsvrc_wnids(), what="ILSVRC classes", how=how)
    return splits


def check_classes(
    place: Path, found: Collection[str], expected: Collection[str], *, what: str, how: str
) -> None:
    """Check that a place holds exactly the expected classes.

    Args:
        place: Folder or split that was read.
        found: Names of the classes found there.
        expected: Names of the classes that should be there.
        what: Description of the classes, e.g. ``ILSVRC class folders``.
        how: What to do if they differ.

    Raises:
        DataError: Names the first missing or unexpected classes, or says that classes are numbered.
    """
    missing, strange = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if not missing and not strange:
        return
    start = f"expected the {len(expected)} {what} in {place}"
    if found and len(missing) == len(expected) and all(name.isdecimal() for name in found):
        raise DataError(
            f"{start} under their WordNet ids, found {len(found)} named by number ({_first(strange)}), which "
            f"leaves their order open; {how}"
        )
    details = [
        f"{len(names)} {word} ({_first(names)})"
        for word, names in (("missing", missing), ("unexpected", strange))
        if names
    ]
    raise DataError(f"{start}, found {len(found)}: {' and '.join(details)}; {how}")


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
