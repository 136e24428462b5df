"""Count what lies among the images of a split and is not read: litter of other programs, and other files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Names, in lower case, of what file managers, operating systems and servers leave in folders.
LITTER = frozenset(
    {
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)


def litter_in(path: str) -> str | None:
    """Return the first name in a path that other programs leave among images, or None.

    All hidden names are taken for litter.

    >>> litter_in("cat/@eaDir/1.jpg"), litter_in("._1.jpg"), litter_in("./cat/1.jpg")
    ('@eaDir', '._1.jpg', None)
    """
    for name in path.split("/"):
        if name.lower() in LITTER or (name.startswith(".") and name not in (".", "..")):
            return name
    return None


@dataclass
class LeftOut:
    """Counts of the files that are not read.

    Attributes:
        litter: Name to the number of files of this name, or in folders of this name.
        skipped: Ending in lower case, or the name of a file without one, to the number of files.
    """

    litter: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def add_litter(self, name: str, files: int = 1) -> None:
        """Count litter of this name; the shadows of files that macOS writes count together."""
        self.litter["._*" if name.startswith("._") else name] += files

    def add_skipped(self, name: str) -> None:
        """Count a file of a kind that is not read."""
        self.skipped[os.path.splitext(name)[1].lower() or name] += 1

    def add(self, other: LeftOut) -> None:
        """Count all that another count holds."""
        self.litter += other.litter
        self.skipped += other.skipped

    def to_json(self) -> list[dict[str, int]]:
        """Return the counts as JSON values, sorted."""
        return [dict(sorted(counts.items())) for counts in (self.litter, self.skipped)]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, int]]) -> LeftOut:
        """Return the counts that :meth:`to_json` gave."""
        litter, skipped = values
        return cls(Counter(litter), Counter(skipped))
