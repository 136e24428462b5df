"""Pictures of a suite's analyses, with their numbers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lsbench.core.interval_text import possible
from lsbench.core.quantity import Quantity, quantity
from lsbench.reports._html.details import plain
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import DUE, WAITING

KIND = "analyze"
#: Most bytes of pictures that a page holds.
MOST_BYTES = 12_000_000
#: At most this many pictures are named in a note.
MOST_NAMED = 5
#: Why there is no picture -> the words for one job or picture, and for several.
HOLES = {
    WAITING: ("job has not run yet", "jobs have not run yet"),
    DUE: ("result is due again", "results are due again"),
    "failed": ("job has failed", "jobs have failed"),
    "no picture": ("job has left no picture", "jobs have left no picture"),
    "damaged": ("picture is damaged", "pictures are damaged"),
}
MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """One picture of one analysis.

    Attributes:
        title: Variant, and seed if there is one.
        analysis: Name of the picture's file.
        uri: The picture as a data URI; empty without a picture.
        hole: Why there is no picture, a key of :data:`HOLES`.
        facts: Title and value of each number that the analysis recorded.
    """

    title: str
    analysis: str
    uri: str = ""
    hole: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def caption(self) -> str:
        """Description of the picture, also used as alternative text."""
        return f"{self.analysis} of {self.title}"


def gallery(folder: ResultsFolder | None, table: pd.DataFrame) -> tuple[list[Picture], list[str]]:
    """Return the pictures of a results folder in the order of its manifest, and notes on all others.

    Jobs without a picture take one line for each reason.

    Args:
        folder: The results folder; None has no pictures.
        table: Its long table.
    """
    if folder is None:
        return [], []
    manifest = folder.manifest() or {"jobs": []}
    entries = [entry for entry in manifest["jobs"] if entry["kind"] == KIND]
    left = MOST_BYTES
    pictures: list[Picture] = []
    left_out: list[str] = []
    holes: dict[str, list[str]] = {}
    for entry in entries:
        for picture, size in _pictures(entry, folder, table):
            left -= size
            if picture.hole:
                holes.setdefault(picture.hole, []).append(picture.caption)
            elif left < 0:
                left_out.append(picture.caption)
            else:
                pictures.append(picture)
    notes = [
        f"{len(of)} {HOLES.get(hole, (f'job is {hole}', f'jobs are {hole}'))[len(of) > 1]}: {_named(of)}."
        for hole, of in holes.items()
    ]
    if left_out:
        notes.append(
            f"This page holds at most {MOST_BYTES / 1e6:.0f} MB of pictures. Left out: {_named(left_out)}. "
            "They are in the job folders."
        )
    return pictures, notes


def _named(captions: list[str]) -> str:
    more = len(captions) - MOST_NAMED
    return "; ".join(captions[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _pictures(
    entry: dict[str, Any], folder: ResultsFolder, table: pd.DataFrame
) -> Iterator[tuple[Picture, int]]:
    """Yield the pictures of one job with their sizes in bytes; a job without pictures yields a hole."""
    title = entry["title"] if entry["seed"] is None else f"{entry['title']}, seed {entry['seed']}"
    own = table[(table.job_id == entry["id"]) & (table.variant == entry["variant"])]
    status = str(own.status.iloc[0]) if len(own) else WAITING
    paths = sorted(folder.job_folder(entry["id"]).glob("*.png")) if entry["id"] and status == "ok" else []
    if not paths:
        yield Picture(title, entry["name"], hole="no picture" if status == "ok" else status), 0
    facts = _facts(own)
    for path in paths:
        content = _content(path)
        if content is None:
            yield Picture(title, path.stem, hole="damaged"), 0
            continue
        uri = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
        yield Picture(title, path.stem, uri, facts=facts), len(content)


def _content(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if content.startswith(MAGIC) else None


def _facts(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return title and text of each recorded number, with its interval if it has one."""
    measured = rows[rows.metric.notna()]
    found = []
    columns = (plain(measured[name]) for name in ("metric", "value", "ci_low", "ci_high"))
    for metric, value, low, high in zip(*columns, strict=True):
        shown = quantity(metric)
        text = "-" if value is None else _number(value, shown)
        if None not in (value, low, high):
            ends = (_number(end, shown) for end in possible(shown, value, low, high))
            text = f"{text} [{', '.join(ends)}]"
        found.append((shown.title, text))
    return found


def _number(value: float, shown: Quantity) -> str:
    return f"{value * shown.scale:.{shown.digits}f}"
