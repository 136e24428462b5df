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
from lsbench.store.standing import WAITING

KIND = "analyze"
#: Most bytes of pictures that a page holds.
MOST_BYTES = 12_000_000
MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """One picture of one analysis.

    Attributes:
        title: Variant, and seed if there is one.
        analysis: Name of the picture's file.
        uri: The picture as a data URI; empty without a picture.
        hole: Why there is no picture.
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
    """Return the pictures of a results folder in the order of its manifest, and notes on omitted ones.

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
    for entry in entries:
        for picture, size in _pictures(entry, folder, table):
            left -= size
            if left < 0:
                left_out.append(picture.caption)
            else:
                pictures.append(picture)
    if not left_out:
        return pictures, []
    named = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
    note = f"This page holds at most {MOST_BYTES / 1e6:.0f} MB of pictures. Left out: {named}."
    return pictures, [f"{note} They are in the job folders."]


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
            yield Picture(title, path.stem, hole="damaged picture", facts=facts), 0
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
